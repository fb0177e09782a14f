/**
 * Optimiser steps on one batch. Blind to the method: which tokens learn, and how strongly, is in the datums' weights.
 */
import type { Datum } from "../core/datum.ts";
import { isNonFinite } from "../core/errors.ts";
import type { AdamParams, Engine, Loss } from "../engine/contract.ts";
import type { Batch } from "../learn/datums.ts";
import type { MetricName, Metrics } from "../learn/metric-names.ts";
import { policyMetrics, samplingMetrics } from "../learn/metrics.ts";
import { splitContiguous } from "../learn/normalization.ts";
import { learningRateAt } from "../learn/schedule.ts";
import type { MulliganConfig } from "./config.ts";

type Trainable = Pick<Engine, "forward" | "forwardBackward" | "optimStep" | "zeroGrad">;

/** What came out of a batch where a number should have. */
export interface NonFinite {
  reason: string;
  /** The first target of the batch whose log-probability is no finite number, if there is one. */
  target?: { datum: number; position: number };
  /** The trainer's, as forwardBackward gave them. */
  logprobs: readonly Float32Array[];
}

export interface Updated {
  metrics: Metrics;
  /** Why an iteration was not taken, nor any after it. */
  nonFinite?: NonFinite;
}

/**
 * `numIterations` optimiser steps on the batch; none when nothing is live. Metrics are means over the iterations, but
 * for the sampler's parity, which only holds before the first. Loss and gradient are checked before a weight changes: an
 * iteration where they are not finite leaves the engine as it was, without its gradient.
 */
export async function updatePolicy(
  engine: Trainable,
  batch: Batch,
  config: MulliganConfig,
  step: number,
): Promise<Updated> {
  const learningRate = learningRateAt(step - 1, config);
  if (batch.datums.length === 0) return { metrics: { learning_rate: learningRate } };
  const judged = { ...batch, datums: await withReference(engine, batch.datums, config) };
  const iterations: Metrics[] = [];
  let parity: Metrics = {};
  for (let iteration = 0; iteration < config.numIterations; iteration++) {
    const { logprobs, loss } = await accumulate(engine, judged.datums, config);
    if (iteration === 0) parity = samplingMetrics(judged, logprobs);
    const stepped = await stepIfFinite(engine, loss, adamOf(config, learningRate));
    if ("reason" in stepped) {
      const target = firstNonFinite(batch, logprobs);
      return {
        metrics: { learning_rate: learningRate },
        nonFinite: { reason: stepped.reason, ...(target && { target }), logprobs },
      };
    }
    const { gradNorm } = stepped;
    iterations.push({ loss, grad_norm: gradNorm, ...policyMetrics(judged, logprobs, config) });
  }
  return { metrics: { ...meanMetrics(iterations), ...parity, learning_rate: learningRate } };
}

function adamOf(config: MulliganConfig, learningRate: number): AdamParams {
  return {
    learningRate,
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    eps: config.adamEpsilon,
    weightDecay: config.weightDecay,
    gradClipNorm: config.maxGradNorm,
  };
}

/** An optimiser step, or why there was none: then no weight has changed, and nothing is left of the gradient. */
async function stepIfFinite(
  engine: Trainable,
  loss: number,
  params: AdamParams,
): Promise<{ gradNorm: number } | { reason: string }> {
  if (!Number.isFinite(loss)) {
    await engine.zeroGrad();
    return { reason: `the loss must be a finite number, got ${loss}` };
  }
  try {
    return await engine.optimStep(params);
  } catch (error) {
    if (isNonFinite(error)) return { reason: error.message };
    throw error;
  }
}

/** Targets that weigh nothing are NaN by contract. */
function firstNonFinite(batch: Batch, logprobs: readonly Float32Array[]): NonFinite["target"] {
  for (const [datum, spans] of batch.learnt.entries()) {
    for (const { start, end } of spans) {
      for (let position = start; position < end; position++) {
        const { advantages, klWeights } = batch.datums[datum]!;
        if (advantages![position] === 0 && !klWeights?.[position]) continue;
        if (!Number.isFinite(logprobs[datum]![position])) return { datum, position };
      }
    }
  }
  return undefined;
}

async function accumulate(engine: Trainable, datums: readonly Datum[], config: MulliganConfig) {
  const loss: Loss = {
    name: "ppo",
    clipLow: 1 - config.epsilon,
    clipHigh: 1 + config.epsilonHigh,
    temperature: config.temperature,
    ...(config.beta > 0 && { kl: config.klEstimator }),
  };
  const logprobs: Float32Array[] = [];
  let total = 0;
  // The same parts that bnpo is normalised over.
  for (const part of splitContiguous(datums, config.gradientAccumulationSteps)) {
    const result = await engine.forwardBackward(part, loss);
    logprobs.push(...result.logprobs);
    total += result.metrics["loss:sum"] ?? Number.NaN;
  }
  return { logprobs, loss: total };
}

/** With beta, each datum with ln p of its targets under the weights the run started from. */
async function withReference(
  engine: Trainable,
  datums: readonly Datum[],
  { beta, temperature }: MulliganConfig,
): Promise<Datum[]> {
  if (beta === 0) return [...datums];
  const reference = await engine.forward(datums, { temperature, weights: "reference" });
  return datums.map((datum, i) => ({ ...datum, referenceLogprobs: reference[i]! }));
}

function meanMetrics(list: readonly Metrics[]): Metrics {
  const names = Object.keys(list[0] ?? {}) as MetricName[];
  const mean = (name: MetricName) =>
    list.reduce((sum, metrics) => sum + (metrics[name] ?? 0), 0) / list.length;
  return Object.fromEntries(names.map((name) => [name, mean(name)]));
}
