/**
 * For tests: the smallest engine that learns. Its parameters are the logits after each whole prefix, so a gradient on
 * one token touches that token's prefix and nothing else, and every number can be checked by hand.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Datum } from "../core/datum.ts";
import { MulliganError } from "../core/errors.ts";
import type { KlEstimator } from "../core/kl.ts";
import { uniform } from "../core/rng.ts";
import type { AdamParams, Engine, Loss, Sample } from "../engine/contract.ts";

interface Row {
  logits: number[];
  gradient: number[];
  m: number[];
  v: number[];
}

export interface SoftmaxTable extends Engine {
  /** The logits after a prefix; the very array that is trained. */
  logitsAfter(prefix: readonly number[]): number[];
  /** What is accumulated for them. */
  gradientAfter(prefix: readonly number[]): number[];
  /** Everything that a step changes, by prefix. */
  table(): [prefix: string, Row][];
}

/** An engine whose untrained logits after a prefix are `initial(prefix)`. Supports neither top-p nor top-k. */
export function createSoftmaxTable(
  vocabSize: number,
  initial: (prefix: readonly number[]) => number[],
): SoftmaxTable {
  const rows = new Map<string, Row>();
  let steps = 0;
  const zeros = () => new Array<number>(vocabSize).fill(0);
  const rowAfter = (prefix: readonly number[]): Row => {
    const key = prefix.join(" ");
    const row = rows.get(key) ?? { logits: initial(prefix), gradient: zeros(), m: zeros(), v: zeros() };
    rows.set(key, row);
    return row;
  };
  const prefixAt = ({ tokens }: Pick<Datum, "tokens">, t: number) => Array.from(tokens.subarray(0, t + 1));

  return {
    info: {
      name: "softmax-table",
      vocabSize,
      contextLength: 64,
      parameters: 0,
      threads: 1,
      capabilities: { temperature: true, kl: ["k1", "k2", "k3"] },
    },
    logitsAfter: (prefix) => rowAfter(prefix).logits,
    gradientAfter: (prefix) => rowAfter(prefix).gradient,
    table: () => [...rows],

    async sample(requests, { maxTokens, temperature, stop }) {
      return requests.map(({ prompt, seed }): Sample => {
        const tokens: number[] = [];
        const logprobs: number[] = [];
        while (tokens.length < maxTokens && !stop.includes(tokens.at(-1) ?? -1)) {
          const p = softmax(rowAfter([...prompt, ...tokens]).logits, temperature);
          const token = drawFrom(p, uniform(seed, tokens.length));
          tokens.push(token);
          logprobs.push(Math.log(p[token]!));
        }
        const stopReason = stop.includes(tokens.at(-1)!) ? "stop" : "length";
        return { tokens: Int32Array.from(tokens), logprobs: Float32Array.from(logprobs), stopReason };
      });
    },

    async forward(data, { temperature = 1, weights = "current" } = {}) {
      return data.map((datum) =>
        Float32Array.from(datum.targets, (target, t) => {
          const prefix = prefixAt(datum, t);
          const logits = weights === "reference" ? initial(prefix) : rowAfter(prefix).logits;
          return Math.log(softmax(logits, temperature)[target]!);
        }),
      );
    },

    async forwardBackward(data, loss) {
      const temperature = loss.temperature ?? 1;
      let total = 0;
      const logprobs = data.map((datum) =>
        Float32Array.from(datum.targets, (target, t) => {
          const row = rowAfter(prefixAt(datum, t));
          const p = softmax(row.logits, temperature);
          const logprob = Math.log(p[target]!);
          const { value, slope } = lossOfToken(datum, t, logprob, loss);
          total += value;
          // d ln p[target] / d logit[j] = (1{j = target} - p[j]) / temperature
          for (let j = 0; j < vocabSize; j++) {
            row.gradient[j]! += (slope * ((j === target ? 1 : 0) - p[j]!)) / temperature;
          }
          return logprob;
        }),
      );
      return { logprobs, metrics: { "loss:sum": total } };
    },

    async optimStep(params) {
      const squares = [...rows.values()].flatMap(({ gradient }) => gradient.map((g) => g * g));
      const gradNorm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
      if (!Number.isFinite(gradNorm)) {
        for (const { gradient } of rows.values()) gradient.fill(0);
        throw new MulliganError("nonfinite", `optimStep: got a gradient of norm ${gradNorm}`);
      }
      steps++;
      for (const row of rows.values()) adamStep(row, steps, gradNorm, params);
      return { gradNorm };
    },

    async zeroGrad() {
      for (const { gradient } of rows.values()) gradient.fill(0);
    },

    async saveState(folder) {
      await writeFile(join(folder, "table.json"), JSON.stringify({ steps, rows: [...rows] }));
    },
    async loadState(folder) {
      const state = JSON.parse(await readFile(join(folder, "table.json"), "utf8"));
      steps = state.steps;
      rows.clear();
      for (const [key, row] of state.rows) rows.set(key, row);
    },
    saveWeights: async () => {},
    close: async () => {},
  };
}

export function softmax(logits: readonly number[], temperature = 1): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - largest) / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Inverse of the cumulative distribution; rounding may leave a last sliver to the last token. */
function drawFrom(p: readonly number[], u: number): number {
  let below = 0;
  for (const [token, share] of p.entries()) {
    below += share;
    if (u < below) return token;
  }
  return p.length - 1;
}

/** The loss of one target and its derivative by the target's log-probability. */
function lossOfToken(datum: Datum, t: number, logprob: number, loss: Loss): { value: number; slope: number } {
  const policy = policyLoss(datum, t, logprob, loss);
  const weight = datum.klWeights?.[t] ?? 0;
  if (!loss.kl || weight === 0) return policy;
  const kl = klPenalty(datum.referenceLogprobs![t]! - logprob, loss.kl);
  return { value: policy.value + weight * kl.value, slope: policy.slope + weight * kl.slope };
}

function policyLoss(datum: Datum, t: number, logprob: number, loss: Loss): { value: number; slope: number } {
  if (loss.name === "cross_entropy") {
    const weight = datum.weights![t]!;
    return { value: -weight * logprob, slope: -weight };
  }
  const ratio = Math.exp(logprob - datum.logprobs![t]!);
  const advantage = datum.advantages![t]!;
  const plain = ratio * advantage;
  if (loss.name === "importance_sampling") return { value: -plain, slope: -plain };
  const clipped = Math.min(Math.max(ratio, loss.clipLow!), loss.clipHigh!) * advantage;
  return plain <= clipped ? { value: -plain, slope: -plain } : { value: -clipped, slope: 0 };
}

/** Of d = reference - logprob; the slope is by logprob. */
function klPenalty(d: number, estimator: KlEstimator): { value: number; slope: number } {
  if (estimator === "k1") return { value: -d, slope: 1 };
  if (estimator === "k2") return { value: d ** 2 / 2, slope: -d };
  return { value: Math.expm1(d) - d, slope: 1 - Math.exp(d) };
}

function adamStep(row: Row, step: number, gradNorm: number, params: AdamParams): void {
  const { learningRate, beta1, beta2, eps, weightDecay, gradClipNorm } = params;
  const clip = gradClipNorm > 0 && gradNorm > gradClipNorm ? gradClipNorm / gradNorm : 1;
  for (const [j, gradient] of row.gradient.entries()) {
    const g = gradient * clip;
    row.m[j] = beta1 * row.m[j]! + (1 - beta1) * g;
    row.v[j] = beta2 * row.v[j]! + (1 - beta2) * g * g;
    const mean = row.m[j]! / (1 - beta1 ** step);
    const variance = row.v[j]! / (1 - beta2 ** step);
    row.logits[j]! -= learningRate * (mean / (Math.sqrt(variance) + eps) + weightDecay * row.logits[j]!);
    row.gradient[j] = 0;
  }
}
