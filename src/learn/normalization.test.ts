import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LossType, type NormalizationOptions, tokenWeights } from "./normalization.ts";

/** Two sequences of unequal length, with the loss of each token. */
const losses_G_T = [
  [3, 5],
  [1, 2, 3, 4, 5, 15],
];

function lossOf(losses: number[][], options: Partial<NormalizationOptions>, live = losses.map(() => true)) {
  const weights = tokenWeights(
    losses.map((losses_T) => losses_T.length),
    live,
    { lossType: "dapo", maxCompletionLength: 10, gradientAccumulationSteps: 1, ...options },
  );
  return losses.reduce(
    (total, losses_T, i) => total + losses_T.reduce((sum, loss) => sum + weights[i]! * loss, 0),
    0,
  );
}

describe("tokenWeights", () => {
  test("grpo is the mean of the sequences' token means: (8/2 + 30/6) / 2", () => {
    expect(lossOf(losses_G_T, { lossType: "grpo" })).toBeCloseTo(4.5, 12);
  });

  test("bnpo is all token losses by the number of tokens, 38 / 8; in two parts, (8/2 + 30/6) / 2", () => {
    expect(lossOf(losses_G_T, { lossType: "bnpo" })).toBeCloseTo(4.75, 12);
    expect(lossOf(losses_G_T, { lossType: "bnpo", gradientAccumulationSteps: 2 })).toBeCloseTo(4.5, 12);
  });

  test("bnpo splits into contiguous parts: ([1] and [2, 4]), ([6, 8, 10] and [3]) give (7/3 + 27/4) / 2", () => {
    const losses = [[1], [2, 4], [6, 8, 10], [3]];
    const options = { lossType: "bnpo", gradientAccumulationSteps: 2 } as const;
    expect(lossOf(losses, options)).toBeCloseTo((7 / 3 + 27 / 4) / 2, 12);
  });

  test("dr_grpo divides by completions times the longest possible: 38 / (2 · 10)", () => {
    expect(lossOf(losses_G_T, { lossType: "dr_grpo" })).toBeCloseTo(1.9, 12);
  });

  test("dapo divides by the tokens of the whole batch however it is split: 38 / 8", () => {
    expect(lossOf(losses_G_T, { lossType: "dapo" })).toBeCloseTo(4.75, 12);
    expect(lossOf(losses_G_T, { lossType: "dapo", gradientAccumulationSteps: 2 })).toBeCloseTo(4.75, 12);
  });

  test("for any batch, completions that are not live change nothing, in numerator or denominator", () => {
    const completions = fc.array(fc.record({ length: fc.integer({ min: 1, max: 9 }), live: fc.boolean() }));
    const lossType = fc.constantFrom<LossType>("grpo", "bnpo", "dr_grpo", "dapo");
    fc.assert(
      fc.property(completions, lossType, fc.integer({ min: 1, max: 4 }), (all, type, parts) => {
        const options = { lossType: type, maxCompletionLength: 9, gradientAccumulationSteps: parts };
        const weightsOf = (some: typeof all) =>
          tokenWeights(
            some.map(({ length }) => length),
            some.map(({ live }) => live),
            options,
          );
        const weights = weightsOf(all);
        expect([...weights].filter((_, i) => all[i]!.live)).toEqual([
          ...weightsOf(all.filter((c) => c.live)),
        ]);
        expect([...weights].filter((_, i) => !all[i]!.live).every((weight) => weight === 0)).toBe(true);
      }),
    );
  });

  test("for any live batch, token weights of a mean sum to one", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
    fc.assert(
      fc.property(lengths, fc.constantFrom<LossType>("grpo", "bnpo", "dapo"), (sizes, lossType) => {
        const ones = sizes.map((length) => new Array<number>(length).fill(1));
        expect(lossOf(ones, { lossType, gradientAccumulationSteps: 3 })).toBeCloseTo(1, 9);
      }),
    );
  });
});
