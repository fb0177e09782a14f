/**
 * The gradient of whole decoders: against central differences in float64, independent of padding and batching, and
 * exactly zero where nothing is learnt.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { Datum } from "../../core/datum.ts";
import { createRng } from "../../core/rng.ts";
import { createSession, type Session } from "../../graph/index.ts";
import { ropeTables } from "../../model/rope-tables.ts";
import type { Loss } from "../contract.ts";
import { causalMask, runForward, runForwardBackward } from "./passes.ts";
import { llamaFields, roughWeights } from "./tiny.test.kit.ts";
import { forwardGraph, trainingGraph } from "./training-graph.ts";
import { int64, type Weights, weightFeeds } from "./weights.ts";

const crossEntropy: Loss = { name: "cross_entropy" };
const ppo: Loss = { name: "ppo", clipLow: 0.8, clipHigh: 1.2, kl: "k3" };
const qwen2 = roughWeights(1);
const llama = roughWeights(2, llamaFields);

const sessions = new Map<string, Promise<Session>>();
function sessionOf(name: string, build: () => ReturnType<typeof forwardGraph>): Promise<Session> {
  if (!sessions.has(name)) sessions.set(name, createSession(build(), { threads: 1 }));
  return sessions.get(name)!;
}
afterAll(async () => {
  for (const session of sessions.values()) await (await session).release();
});

/** A datum whose ratios lie on and off policy, inside and outside the clip range, never at one of its kinks. */
async function createDatum(weights: Weights, length: number, seed: number): Promise<Required<Datum>> {
  const rng = createRng(seed);
  const ids = Int32Array.from({ length: length + 1 }, () => rng.int(0, weights.config.vocabSize - 1));
  const [tokens, targets] = [ids.slice(0, -1), ids.slice(1)];
  const forward = await sessionOf(`${weights.config.family} forward`, () => forwardGraph(weights.config));
  const feeds = weightFeeds(weights);
  const [current] = await runForward(forward, weights, feeds, [{ tokens, targets }], 1);
  const perToken = (of: (t: number) => number) => Float32Array.from({ length }, (_, t) => of(t));
  const shifts = [0, 0.05, 0.4, -0.1, -0.4];
  return {
    tokens,
    targets,
    weights: perToken((t) => [0, 1, -0.5][t % 3]!),
    logprobs: perToken((t) => current![t]! - shifts[t % 5]!),
    advantages: perToken((t) => [0, 0.7, -0.3, 1.1][t % 4]!),
    referenceLogprobs: perToken((t) => current![t]! + [0.3, -0.2][t % 2]!),
    klWeights: perToken((t) => [0, 0.1, 0.1, 0.1][t % 4]!),
  };
}

/** The gradient of the training path in float32. */
async function gradientOf(weights: Weights, data: Datum[], loss: Loss, into?: Float32Array) {
  const key = `${weights.config.family} ${loss.name} ${loss.kl}`;
  const session = await sessionOf(key, () => trainingGraph(weights.config, loss));
  const gradient = into ?? new Float32Array(weights.flat.length);
  await runForwardBackward(session, weights, weightFeeds(weights), data, loss, gradient);
  return gradient;
}

/** ‖a − b‖ / ‖b‖ of each parameter, the largest. */
function largestDistance(weights: Weights, a: ArrayLike<number>, b: ArrayLike<number>): number {
  const distances = weights.parameters.map(({ offset, size }) => {
    let [difference, norm] = [0, 0];
    for (let i = offset; i < offset + size; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      norm += b[i]! ** 2;
    }
    return Math.sqrt(difference / norm);
  });
  return Math.max(...distances);
}

/** Loss and gradient of one unpadded row in float64, as a function of the flat parameters. */
async function float64Loss({ config, parameters }: Weights, datum: Required<Datum>, loss: Loss) {
  const name = `${config.family} ${loss.name} float64`;
  const session = await sessionOf(name, () => trainingGraph(config, loss, "float64"));
  const length = datum.tokens.length;
  const tables = ropeTables(config, length);
  const ids = (values: ArrayLike<number>, dims: number[]) => ({ data: int64(values), dims });
  const numbers = (values: ArrayLike<number>, dims: number[]) => ({ data: Float64Array.from(values), dims });
  const perToken = (values: ArrayLike<number>) => numbers(values, [length]);
  const inputs = {
    tokens: ids(datum.tokens, [1, length]),
    targets: ids(datum.targets, [length]),
    positions: ids([...datum.tokens.keys()], [1, length]),
    mask: numbers(causalMask(length), [1, 1, length, length]),
    rope_cos: numbers(tables.cos, tables.dims),
    rope_sin: numbers(tables.sin, tables.dims),
    inverse_temperature: numbers([1 / (loss.temperature ?? 1)], []),
    ...(loss.name === "cross_entropy"
      ? { weights: perToken(datum.weights) }
      : {
          sampled_logprobs: perToken(datum.logprobs),
          advantages: perToken(datum.advantages),
          clip_low: numbers([loss.clipLow!], []),
          clip_high: numbers([loss.clipHigh!], []),
          reference_logprobs: perToken(datum.referenceLogprobs),
          kl_weights: perToken(datum.klWeights),
          kl_mask: perToken(datum.klWeights.map((weight) => (weight === 0 ? 0 : 1))),
        }),
  };
  return async (flat: Float64Array) => {
    const tensors = parameters.map(({ name, shape, offset, size }) => [
      name,
      { data: flat.subarray(offset, offset + size), dims: shape },
    ]);
    const result = await session.run({ ...inputs, ...Object.fromEntries(tensors) });
    const gradient = new Float64Array(flat.length);
    for (const { name, offset } of parameters) {
      gradient.set(result[`d:${name}`]!.data as Float64Array, offset);
    }
    return { loss: Number(result.loss!.data[0]), gradient };
  };
}

describe.each([
  ["qwen2", "cross_entropy", qwen2, crossEntropy],
  ["llama", "cross_entropy", llama, { ...crossEntropy, temperature: 0.7 }],
  ["qwen2", "ppo + k3", qwen2, { ...ppo, temperature: 1.3 }],
  ["llama", "ppo + k3", llama, ppo],
] as const)("%s, %s", (_family, _loss, weights, loss) => {
  test("central differences measure the gradient of every parameter", async () => {
    const datum = await createDatum(weights, 11, 3);
    const run = await float64Loss(weights, datum, loss);
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
    const { gradient } = await (await float64Loss(weights, datum, loss))(Float64Array.from(weights.flat));
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

/** The same tokens with nothing to learn from them. */
function silenced(datum: Required<Datum>): Required<Datum> {
  const zeros = new Float32Array(datum.tokens.length);
  return { ...datum, weights: zeros, advantages: zeros, klWeights: zeros };
}
