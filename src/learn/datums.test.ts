import { describe, expect, test } from "vitest";
import type { Completion } from "./completions.ts";
import { type BatchOptions, buildBatch, datumFromCompletion } from "./datums.ts";

const options: BatchOptions = {
  scaleRewards: "none",
  lossType: "dapo",
  beta: 0,
  maxCompletionLength: 4,
  gradientAccumulationSteps: 1,
  maskTruncatedCompletions: false,
};

/** Two prompt tokens, then `length` learnt ones. */
function completion(reward: number | null, length: number, fields: Partial<Completion> = {}): Completion {
  return {
    tokens: [8, 9, ...Array.from({ length }, (_, i) => i)],
    learn: [{ start: 2, end: 2 + length, logprobs: new Array<number>(length).fill(-0.5) }],
    reward,
    verifierReward: reward,
    groupIndex: 0,
    truncated: false,
    ...fields,
  };
}

describe("datumFromCompletion", () => {
  test("puts span [s, e) of the conversation at target positions [s - 1, e - 1)", () => {
    const datum = datumFromCompletion(
      {
        ...completion(1, 0),
        tokens: [10, 11, 12, 13, 14, 15],
        learn: [
          { start: 2, end: 4, logprobs: [-1, -2] },
          { start: 5, end: 6, logprobs: [-3] },
        ],
      },
      { advantage: 0.5, klWeight: 0.25 },
    );
    expect(datum).toEqual({
      tokens: Int32Array.of(10, 11, 12, 13, 14),
      targets: Int32Array.of(11, 12, 13, 14, 15),
      logprobs: Float32Array.of(0, -1, -2, 0, -3),
      advantages: Float32Array.of(0, 0.5, 0.5, 0, 0.5),
      klWeights: Float32Array.of(0, 0.25, 0.25, 0, 0.25),
    });
  });

  test("has no KL weights without a KL", () => {
    expect(datumFromCompletion(completion(1, 2), { advantage: 1, klWeight: 0 }).klWeights).toBeUndefined();
  });

  test("refuses a span that nothing predicts, that leaves the tokens, or that lacks a log-probability", () => {
    const perToken = { advantage: 1, klWeight: 0 };
    const withSpan = (start: number, end: number, count: number) =>
      completion(1, 2, { learn: [{ start, end, logprobs: new Array<number>(count).fill(0) }] });
    expect(() => datumFromCompletion(withSpan(0, 2, 2), perToken)).toThrow(/got \[0, 2\) with 2/);
    expect(() => datumFromCompletion(withSpan(2, 5, 3), perToken)).toThrow(/lies in \[1, 4\]/);
    expect(() => datumFromCompletion(withSpan(2, 4, 1), perToken)).toThrow(/with 1/);
  });
});

describe("buildBatch", () => {
  test("folds the normalisation into advantages and KL weights", () => {
    // group mean 1/2; dapo over 2 + 4 tokens: 0.5/6 and -0.5/6; KL 0.6/6
    const batch = buildBatch([completion(1, 2), completion(0, 4)], { ...options, beta: 0.6 });
    expect(batch.advantages).toEqual([0.5, -0.5]);
    expect(batch.datums.map(({ advantages }) => [...advantages!])).toEqual([
      [0, Math.fround(0.5 / 6), Math.fround(0.5 / 6)],
      [0, ...new Array<number>(4).fill(Math.fround(-0.5 / 6))],
    ]);
    expect([...batch.datums[0]!.klWeights!]).toEqual([0, Math.fround(0.1), Math.fround(0.1)]);
    expect(batch.learnt).toEqual([[{ start: 1, end: 3 }], [{ start: 1, end: 5 }]]);
  });

  test("leaves dead and unscored groups out of loss, denominator and KL", () => {
    const live = [completion(1, 2), completion(0, 4)];
    const dead = [
      completion(0, 3, { groupIndex: 1 }),
      completion(0, 3, { groupIndex: 1 }),
      completion(1, 3, { groupIndex: 2 }),
      completion(1, 3, { groupIndex: 2 }),
      completion(1, 3, { groupIndex: 3 }),
      completion(null, 3, { groupIndex: 3 }),
    ];
    const withBeta = { ...options, beta: 0.1 };
    const batch = buildBatch([...live, ...dead], withBeta);
    expect(batch.datums).toEqual(buildBatch(live, withBeta).datums);
    expect(batch.live).toEqual([0, 1]);
    expect(batch.groups.map(({ state }) => state)).toEqual(["live", "all_failed", "all_passed", "unscored"]);
  });

  test("keeps groups together whatever the order of completions", () => {
    const a = [completion(1, 2), completion(0, 2)];
    const b = [completion(1, 2, { groupIndex: 7 }), completion(1, 2, { groupIndex: 7 })];
    const mixed = buildBatch([b[0]!, a[0]!, b[1]!, a[1]!], options);
    expect(mixed.live).toEqual([1, 3]);
    expect(mixed.advantages).toEqual([0, 0.5, 0, -0.5]);
  });

  test("lets a completion cut at its limit learn, unless truncated ones are masked", () => {
    const completions = [completion(1, 2), completion(0, 4, { truncated: true }), completion(0, 2)];
    expect(buildBatch(completions, options).live).toEqual([0, 1, 2]);
    const masked = buildBatch(completions, { ...options, maskTruncatedCompletions: true });
    expect(masked.live).toEqual([0, 2]);
    // it still counts in the baseline, 1/3, but not among the 4 tokens
    expect(masked.datums[0]!.advantages![1]).toBeCloseTo(2 / 3 / 4, 6);
  });

  test("keeps the KL of a live completion whose advantage is zero", () => {
    const completions = [completion(1, 2), completion(0.5, 2), completion(0, 2)];
    const { datums } = buildBatch(completions, { ...options, beta: 0.6 });
    expect([...datums[1]!.advantages!]).toEqual([0, 0, 0]);
    expect([...datums[1]!.klWeights!]).toEqual([0, Math.fround(0.1), Math.fround(0.1)]);
  });

  test("gives an empty batch for no completions", () => {
    expect(buildBatch([], options)).toEqual({ datums: [], live: [], learnt: [], advantages: [], groups: [] });
  });
});
