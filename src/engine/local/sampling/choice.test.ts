import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../../../core/rng.ts";
import { type Blocks, type ChoiceParams, chooseToken } from "./choice.ts";

/** Blocks as the graph sums them up. */
function blocksOf(scores: Float32Array, size: number, temperature: number): Blocks {
  const top = scores.reduce((a, b) => Math.max(a, b));
  const parts = Array.from({ length: Math.ceil(scores.length / size) }, (_, b) =>
    scores.subarray(b * size, (b + 1) * size),
  );
  return {
    size,
    highest: Float32Array.from(parts, (part) => Math.max(...part)),
    masses: Float32Array.from(parts, (part) =>
      part.reduce((sum, score) => sum + Math.exp((score - top) / temperature), 0),
    ),
  };
}

const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

/** The definition: sort everything, keep, renormalise, invert. */
function oracle(scores: Float32Array, { temperature, topP, topK }: ChoiceParams) {
  const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
  const masses = order.map((i) => Math.exp((scores[i]! - scores[order[0]!]!) / temperature));
  let size = topK > 0 ? Math.min(topK, order.length) : order.length;
  const reach = topP * sum(masses.slice(0, size));
  let total = 0;
  for (let i = 0; i < size; i++) {
    total += masses[i]!;
    if (total >= reach) size = i + 1;
  }
  const kept = order.slice(0, size);
  return new Map(kept.map((token, i) => [token, Math.log(masses[i]! / sum(masses.slice(0, size)))]));
}

const scoresOf = (seed: number, length: number, spread: number) =>
  Float32Array.from({ length }, createRng(seed).normal).map((x) => x * spread);

test("blocks choose what the whole row chooses, whatever the filter", () => {
  const params = fc.record({
    temperature: fc.constantFrom(0, 0.5, 1, 1.5),
    topP: fc.constantFrom(1, 0.9, 0.3, 1e-6),
    topK: fc.constantFrom(0, 1, 7, 1000),
  });
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.constantFrom(1, 7, 64, 100),
      params,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (seed, size, filter, u) => {
        const scores = scoresOf(seed, 300, 4);
        const whole = chooseToken(scores, filter, u);
        const blocked = chooseToken(scores, filter, u, blocksOf(scores, size, filter.temperature || 1));
        // float32 sums may move a boundary by a hair: then hardly any probability lies between both tokens
        if (blocked.token !== whole.token) {
          expect(filter.topK === 0 && filter.topP === 1).toBe(true);
          const [first, last] = [whole.token, blocked.token].sort((a, b) => a - b);
          const probabilities = oracle(scores, { ...filter, topK: 0 });
          const between = [...probabilities].filter(([token]) => token > first! && token < last!);
          expect(sum(between.map(([, logprob]) => Math.exp(logprob)))).toBeLessThan(1e-6);
        } else {
          expect(Math.abs(blocked.logprob - whole.logprob)).toBeLessThan(1e-5);
        }
      },
    ),
  );
});

test.each([
  { temperature: 1, topP: 1, topK: 0 },
  { temperature: 0.7, topP: 0.8, topK: 0 },
  { temperature: 1, topP: 1, topK: 5 },
  { temperature: 1.3, topP: 0.5, topK: 20 },
  // hardly anything is unlikely: the first reach holds too little
  { temperature: 1, topP: 0.99999, topK: 0 },
])("draws every kept token, and no other, with its probability: %o", (params) => {
  const scores = scoresOf(3, 40, 3);
  const expected = oracle(scores, params);
  const draws = 20_000;
  const counts = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const { token, logprob } = chooseToken(
      scores,
      params,
      (i + 0.5) / draws,
      blocksOf(scores, 8, params.temperature),
    );
    expect(logprob).toBeCloseTo(expected.get(token)!, 4);
    counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  for (const [token, logprob] of expected) {
    expect(Math.abs((counts.get(token) ?? 0) / draws - Math.exp(logprob))).toBeLessThan(2 / draws + 1e-6);
  }
});

test("equal scores go to the lower id, and impossible tokens to nobody", () => {
  const scores = Float32Array.of(-Infinity, 2, 2, -Infinity);
  const greedy = { temperature: 0, topP: 1, topK: 0 };
  expect(chooseToken(scores, greedy, 0.9).token).toBe(1);
  const plain = { temperature: 1, topP: 1, topK: 0 };
  expect([0, 0.499, 0.501, 0.9999999].map((u) => chooseToken(scores, plain, u).token)).toEqual([1, 1, 2, 2]);
});

test("a long row costs a look at its blocks, not at its entries", () => {
  const scores = scoresOf(1, 151_936, 2);
  const blocks = blocksOf(scores, 512, 1);
  let reads = 0;
  const watched = new Proxy(scores, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) reads++;
      return Reflect.get(target, key, target);
    },
  });
  chooseToken(watched, { temperature: 1, topP: 1, topK: 0 }, 0.5, blocks);
  expect(reads).toBeLessThan(2 * 512);
});

test.each([0, 1])("scores that are no finite numbers are refused (temperature %s)", (temperature) => {
  for (const bad of [Number.NaN, Infinity]) {
    for (const [topP, topK] of [
      [1, 0],
      [0.9, 0],
      [1, 2],
    ] as const) {
      const choose = () => chooseToken(Float32Array.of(0, bad, 1), { temperature, topP, topK }, 0.5);
      expect(choose).toThrow("sample: scores must be finite numbers");
    }
  }
});
