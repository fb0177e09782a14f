/**
 * The gradient of whole decoders: against central differences in float64, the same however datums share prefixes, and
 * exactly zero where nothing is learnt.
 */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Datum } from "../../core/datum.ts";
import { createRng } from "../../core/rng.ts";
import type { Loss } from "../contract.ts";
import { familyFields, llamaFields, roughWeights } from "./tiny.test.kit.ts";
import {
  datumOf,
  float64Pass,
  largestDistance,
  passOf,
  plainPass,
  releaseSessions,
} from "./training/passes.test.kit.ts";
import type { Weights } from "./weights.ts";

const crossEntropy: Loss = { name: "cross_entropy" };
const ppo: Loss = { name: "ppo", clipLow: 0.8, clipHigh: 1.2, kl: "k3" };
const qwen2 = roughWeights(1);
const llama = roughWeights(2, llamaFields);
const qwen3 = roughWeights(3, familyFields.qwen3);
const mistral = roughWeights(4, familyFields.mistral);
const phi3 = roughWeights(5, familyFields.phi3);
const smollm3 = roughWeights(6, familyFields.smollm3);

afterAll(releaseSessions);

/** A datum whose ratios lie on and off policy, inside and outside the clip range, never at one of its kinks. */
async function createDatum(weights: Weights, length: number, seed: number): Promise<Required<Datum>> {
  const rng = createRng(seed);
  const ids = Int32Array.from({ length: length + 1 }, () => rng.int(0, weights.config.vocabSize - 1));
  return datumOf(weights, ids);
}

describe.each([
  ["qwen2", "cross_entropy", qwen2, crossEntropy],
  ["llama", "cross_entropy", llama, { ...crossEntropy, temperature: 0.7 }],
  ["qwen2", "ppo + k3", qwen2, { ...ppo, temperature: 1.3 }],
  ["llama", "ppo + k3", llama, ppo],
  ["qwen3", "cross_entropy", qwen3, crossEntropy],
  ["mistral", "cross_entropy", mistral, crossEntropy],
  ["phi3", "cross_entropy", phi3, crossEntropy],
  ["smollm3", "cross_entropy", smollm3, crossEntropy],
] as const)("%s, %s", (_family, _loss, weights, loss) => {
  test("central differences measure the gradient of every parameter", async () => {
    const datum = await createDatum(weights, 11, 3);
    const run = await float64Pass(weights, [datum], loss);
    const flat = Float64Array.from(weights.flat);
    const { gradient } = await run(flat);
    const step = 1e-5;
    for (const { name, offset, size } of weights.parameters) {
      const values = gradient.subarray(offset, offset + size);
      const steepest = values.reduce((best, d, i) => (Math.abs(d) > Math.abs(values[best]!) ? i : best), 0);
      expect(values[steepest], name).not.toBe(0);
      for (const i of new Set([steepest, 0, Math.floor(size / 2), size - 1])) {
        const at = async (shift: number) => {
          const moved = flat.slice();
          moved[offset + i]! += shift;
          return (await run(moved)).loss;
        };
        const difference = ((await at(step)) - (await at(-step))) / (2 * step);
        const error = Math.abs(values[i]! - difference);
        expect(error, `${name}[${i}]`).toBeLessThan(1e-7 * Math.max(1, Math.abs(difference)));
      }
    }
  });

  test("float32 with its fused kernels and padding has the gradient of float64", async () => {
    const datum = await createDatum(weights, 11, 3);
    const { gradient } = await (await float64Pass(weights, [datum], loss))(Float64Array.from(weights.flat));
    expect(largestDistance(weights, await gradientOf(weights, [datum], loss), gradient)).toBeLessThan(1e-5);
  });
});

describe.each([
  ["cross_entropy", crossEntropy],
  ["ppo + k3", ppo],
] as const)("%s", (_name, loss) => {
  test("a row has the same gradient alone and padded in company that learns nothing", async () => {
    const [short, long] = [await createDatum(llama, 9, 4), await createDatum(llama, 40, 5)];
    const alone = await gradientOf(llama, [short], loss);
    const padded = await gradientOf(llama, [silenced(long), short], loss);
    expect(largestDistance(llama, padded, alone)).toBeLessThan(1e-6);
  });

  test("two calls add up to one call with both datums", async () => {
    const [a, b] = [await createDatum(qwen2, 17, 6), await createDatum(qwen2, 30, 7)];
    const added = await gradientOf(qwen2, [a], loss);
    await gradientOf(qwen2, [b], loss, added);
    expect(largestDistance(qwen2, added, await gradientOf(qwen2, [a, b], loss))).toBeLessThan(1e-6);
  });

  test("what a silent datum contains does not change a byte", async () => {
    const datum = await createDatum(qwen2, 12, 8);
    const one = await gradientOf(qwen2, [datum, silenced(await createDatum(qwen2, 20, 9))], loss);
    const other = await gradientOf(qwen2, [datum, silenced(await createDatum(qwen2, 20, 10))], loss);
    expect(one.some((value) => value !== 0)).toBe(true);
    expect(other).toEqual(one);
  });

  test("what a silent position is to predict does not change a byte", async () => {
    const datum = await createDatum(qwen2, 12, 8);
    // Position 0 has weight, advantage and KL weight 0.
    const other = { ...datum, targets: datum.targets.with(0, (datum.targets[0]! + 1) % 29) };
    const gradient = await gradientOf(qwen2, [datum], loss);
    expect(await gradientOf(qwen2, [other], loss)).toEqual(gradient);
  });

  test("when nothing is to be learnt, the gradient is exactly 0", async () => {
    const silent = [silenced(await createDatum(llama, 9, 4)), silenced(await createDatum(llama, 33, 5))];
    const gradient = await gradientOf(llama, silent, loss);
    expect(gradient.every((value) => value === 0)).toBe(true);
  });
});

test("an absurd reference where no KL is taken does not change a byte", async () => {
  const datum = await createDatum(qwen2, 12, 8);
  const gradient = await gradientOf(qwen2, [datum], ppo);
  // Position 0 has KL weight 0; e^200 is ∞ in float32, and ∞ · 0 would be NaN.
  const absurd = { ...datum, referenceLogprobs: datum.referenceLogprobs.with(0, 200) };
  expect(await gradientOf(qwen2, [absurd], ppo)).toEqual(gradient);
});

/**
 * 2 failures of one task, 2 reflections on each, 2 retries after each reflection; failures, reflections and retries of
 * different lengths. What is scored: reflections and retries.
 */
async function createTree(weights: Weights): Promise<Required<Datum>[]> {
  const rng = createRng(11);
  const { vocabSize } = weights.config;
  /** Branch b begins with a token of its own. */
  const text = (length: number, b: number) => [
    2 + b,
    ...Array.from({ length: length - 1 }, () => rng.int(4, vocabSize - 1)),
  ];
  const task = text(9, 0);
  const sequences = [text(5, 0), text(7, 1)].flatMap((failure, f) =>
    [text(4, 0), text(6 + 2 * f, 1)].flatMap((reflection) =>
      [text(3, 0), text(5, 1)].map((retry) => [...task, ...failure, ...reflection, ...retry]),
    ),
  );
  return Promise.all(sequences.map((ids) => datumOf(weights, Int32Array.from(ids), task.length + 4)));
}

describe.each([
  ["qwen2", qwen2],
  ["llama", llama],
  ["qwen3, a window in one layer", qwen3],
  ["mistral, a window in all layers", mistral],
  ["phi3", phi3],
  ["smollm3", smollm3],
] as const)("a tree of task, failures, reflections and retries: %s", (_name, weights) => {
  // 9 + (5 + 7) + (4 + 6 + 4 + 8) + 4·(3 + 5) distinct tokens, of which the 8 last ones are no input
  const distinct = 9 + 12 + 22 + 32 - 8;

  test.each([crossEntropy, ppo])(
    "has the plain path's gradient and log-probabilities, $name",
    async (loss) => {
      const data = await createTree(weights);
      const plain = await plainPass(weights, data, loss);
      const packed = await passOf(weights, data, loss);
      expect(packed.computedTokens).toBe(distinct);
      expect(plain.computedTokens).toBe(data.reduce((sum, { tokens }) => sum + tokens.length, 0));
      expect(largestDistance(weights, packed.gradient, plain.gradient)).toBeLessThan(5e-5);
      expect(largestLogprobDistance(packed.logprobs, plain.logprobs)).toBeLessThan(5e-5);
      expect(packed.loss).toBeCloseTo(plain.loss, 4);
    },
  );

  test("differs from the plain path by rounding alone in float64", async () => {
    const data = await createTree(weights);
    const plain = await plainPass(weights, data, ppo);
    const packed = await (await float64Pass(weights, data, ppo))(Float64Array.from(weights.flat));
    expect(packed.computedTokens).toBe(distinct);
    // the engine's tables hold 1/√D in float32, the oracle divides in float64
    expect(largestDistance(weights, packed.gradient, plain.gradient)).toBeLessThan(2e-6);
    expect(largestLogprobDistance(packed.logprobs, plain.logprobs)).toBeLessThan(2e-6);
  });

  test("without sharing computes every token and gives the same", async () => {
    const data = await createTree(weights);
    const packed = await passOf(weights, data, ppo);
    const apart = await passOf(weights, data, ppo, { sharePrefixes: false });
    expect(apart.computedTokens).toBe(data.reduce((sum, { tokens }) => sum + tokens.length, 0));
    expect(largestDistance(weights, packed.gradient, apart.gradient)).toBeLessThan(2e-5);
  });

  test("activations computed again give the same gradient to the bit", async () => {
    const data = await createTree(weights);
    const kept = await passOf(weights, data, ppo);
    const again = await passOf(weights, data, ppo, { gradientCheckpointing: true });
    expect(again.gradient).toEqual(kept.gradient);
    expect(again.logprobs).toEqual(kept.logprobs);
  });

  test("smaller runs give the same gradient", async () => {
    const data = await createTree(weights);
    const whole = await passOf(weights, data, ppo);
    const parts = await passOf(weights, data, ppo, { maxTokensPerRun: 12 });
    expect(whole.computedTokens).toBe(distinct);
    expect(parts.computedTokens).toBeGreaterThan(distinct); // parts of a family compute what it shares anew
    expect(largestDistance(weights, parts.gradient, whole.gradient)).toBeLessThan(2e-5);
  });

  test("scores in several chunks give the same gradient", async () => {
    const data = await createTree(weights);
    const whole = await passOf(weights, data, ppo);
    const chunked = await passOf(weights, data, ppo, { scoreBytes: 29 * 4 * 12 });
    expect(chunked.chunks).toBeGreaterThan(2);
    expect(largestDistance(weights, chunked.gradient, whole.gradient)).toBeLessThan(2e-5);
    expect(largestLogprobDistance(chunked.logprobs, whole.logprobs)).toBeLessThan(1e-6);
  });
});

test.each([
  ["qwen2", qwen2],
  ["mistral", { ...mistral, config: { ...mistral.config, window: { size: 3, layers: [0, 1] } } }],
])(
  "for any tree of sequences, the gradient and log-probabilities are the plain path's: %s",
  async (_, weights) => {
    const sequence = fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 2, maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(fc.array(sequence, { minLength: 1, maxLength: 9 }), async (sequences) => {
        const data = await Promise.all(sequences.map((ids) => datumOf(weights, Int32Array.from(ids))));
        const plain = await plainPass(weights, data, ppo);
        const packed = await passOf(weights, data, ppo);
        // against the largest parameter's: a short text may leave a tensor almost without gradient
        const scale = Math.hypot(...plain.gradient);
        const difference = Math.hypot(...packed.gradient.map((value, i) => value - plain.gradient[i]!));
        expect(difference).toBeLessThanOrEqual(5e-5 * Math.max(scale, 1e-3));
        expect(largestLogprobDistance(packed.logprobs, plain.logprobs)).toBeLessThan(5e-5);
      }),
      { numRuns: 40 },
    );
  },
);

/** Over the positions that the first has. */
function largestLogprobDistance(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  let largest = 0;
  a.forEach((row, d) => {
    for (let t = 0; t < row.length; t++) {
      if (!Number.isNaN(row[t])) largest = Math.max(largest, Math.abs(row[t]! - b[d]![t]!));
    }
  });
  return largest;
}

/** The gradient of the training path in float32. */
async function gradientOf(weights: Weights, data: Datum[], loss: Loss, into?: Float32Array) {
  return (await passOf(weights, data, loss, into ? { into } : {})).gradient;
}

/** The same tokens with nothing to learn from them. */
function silenced(datum: Required<Datum>): Required<Datum> {
  const zeros = new Float32Array(datum.tokens.length);
  return { ...datum, weights: zeros, advantages: zeros, klWeights: zeros };
}
