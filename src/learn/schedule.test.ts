import { describe, expect, test } from "vitest";
import { learningRateAt } from "./schedule.ts";

const base = { learningRate: 2, warmupSteps: 0, maxSteps: 10 };

describe("learningRateAt", () => {
  test("is constant without warm-up", () => {
    const options = { ...base, lrSchedulerType: "constant" } as const;
    expect([0, 5, 9, 50].map((step) => learningRateAt(step, options))).toEqual([2, 2, 2, 2]);
  });

  test.each(["constant", "linear", "cosine"] as const)("rises from 0 to the peak in warm-up (%s)", (type) => {
    const options = { ...base, lrSchedulerType: type, warmupSteps: 4 };
    expect([0, 1, 2, 3, 4].map((step) => learningRateAt(step, options))).toEqual([0, 0.5, 1, 1.5, 2]);
  });

  test("falls linearly to 0 at maxSteps and stays there", () => {
    const options = { ...base, lrSchedulerType: "linear", warmupSteps: 2 } as const;
    // (10 - step) / (10 - 2) of the peak
    expect([2, 4, 6, 9].map((step) => learningRateAt(step, options))).toEqual([2, 1.5, 1, 0.25]);
    expect([10, 11].map((step) => learningRateAt(step, options))).toEqual([0, 0]);
  });

  test("falls along half a cosine to 0 at maxSteps and stays there", () => {
    const options = { ...base, lrSchedulerType: "cosine", warmupSteps: 2 } as const;
    expect(learningRateAt(6, options)).toBeCloseTo(1, 12);
    expect(learningRateAt(4, options)).toBeCloseTo(1 + Math.SQRT1_2, 12);
    expect(learningRateAt(10, options)).toBe(0);
    expect(learningRateAt(14, options)).toBe(0);
  });
});
