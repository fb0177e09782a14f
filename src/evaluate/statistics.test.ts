import { describe, expect, test } from "vitest";
import { createRng } from "../core/rng.ts";
import { bootstrapRatio, bootstrapRatioDifference, mcnemarExact, wilsonInterval } from "./statistics.ts";

const options = { seed: 1 };
const list = (length: number, value: (i: number) => number) =>
  Float64Array.from({ length }, (_, i) => value(i));

/** A mean is a ratio over all items. */
const mean = (values: ArrayLike<number>) => ({
  numerators: values,
  denominators: list(values.length, () => 1),
});

/** The share of `runs` simulated intervals that hold the truth. */
function coverage(runs: number, truth: number, intervalOf: (run: number) => { low: number; high: number }) {
  let covered = 0;
  for (let run = 0; run < runs; run++) {
    const { low, high } = intervalOf(run);
    if (low <= truth && truth <= high) covered++;
  }
  return covered / runs;
}

describe("bootstrapRatio of a mean", () => {
  test("has no width without variation", () => {
    expect(bootstrapRatio(mean([3, 3, 3]), options)).toEqual({ estimate: 3, low: 3, high: 3 });
  });

  test("has the width of the normal approximation on many items", () => {
    // rate 0.3 of 2000: standard error sqrt(0.21 / 2000) = 0.01025, half-width 1.96 times that
    const interval = bootstrapRatio(mean(list(2000, (i) => (i % 10 < 3 ? 1 : 0))), options);
    expect(interval.estimate).toBeCloseTo(0.3, 12);
    expect((interval.high - interval.low) / 2).toBeGreaterThan(0.0185);
    expect((interval.high - interval.low) / 2).toBeLessThan(0.0217);
  });

  test("draws as the binomial says: of two items 0 and 1, a quarter of resamples are both 0", () => {
    // P(mean 0) = 1/4, so the 20 % quantile is 0 and the 30 % quantile is 1/2
    expect(bootstrapRatio(mean([0, 1]), { ...options, confidence: 0.6 }).low).toBe(0);
    expect(bootstrapRatio(mean([0, 1]), { ...options, confidence: 0.4 })).toEqual({
      estimate: 0.5,
      low: 0.5,
      high: 0.5,
    });
  });

  test("gives the same interval for the same seed and another for another", () => {
    const values = list(200, (i) => Math.sin(i));
    expect(bootstrapRatio(mean(values), options)).toEqual(bootstrapRatio(mean(values), options));
    expect(bootstrapRatio(mean(values), { seed: 2 }).low).not.toBe(bootstrapRatio(mean(values), options).low);
  });

  test("is NaN for no items", () => {
    expect(bootstrapRatio(mean([]), options)).toEqual({
      estimate: Number.NaN,
      low: Number.NaN,
      high: Number.NaN,
    });
  });

  test("covers the truth about as often as it says", () => {
    const share = coverage(200, 0.3, (run) => {
      const rng = createRng(100 + run);
      return bootstrapRatio(mean(list(150, () => (rng.next() < 0.3 ? 1 : 0))), { seed: run, resamples: 500 });
    });
    expect(share).toBeGreaterThanOrEqual(0.9);
    expect(share).toBeLessThanOrEqual(0.99);
  });
});

describe("bootstrapRatioDifference of means", () => {
  test("pairs items: a constant improvement has no width however noisy the items", () => {
    const noisy = list(50, (i) => (i * 37) % 11);
    const better = noisy.map((value) => value + 2);
    expect(bootstrapRatioDifference(mean(better), mean(noisy), options)).toEqual({
      estimate: 2,
      low: 2,
      high: 2,
    });
  });

  test("is antisymmetric", () => {
    const a = list(40, (i) => i % 3);
    const b = list(40, (i) => i % 2);
    const { estimate, low, high } = bootstrapRatioDifference(mean(a), mean(b), options);
    const swapped = bootstrapRatioDifference(mean(b), mean(a), options);
    expect(swapped.estimate).toBeCloseTo(-estimate, 12);
    expect(swapped.low).toBeCloseTo(-high, 12);
    expect(swapped.high).toBeCloseTo(-low, 12);
  });

  test("refuses lists of unequal length", () => {
    expect(() => bootstrapRatioDifference(mean([1, 2]), mean([1]), options)).toThrow(
      /got lengths 2, 2, 1, 1/,
    );
  });
});

describe("bootstrapRatio", () => {
  test("is the rate over the items that count, with an interval wider than that of a fixed denominator", () => {
    // 400 items, 100 count, 25 of those succeed
    const denominators = list(400, (i) => (i % 4 === 0 ? 1 : 0));
    const numerators = list(400, (i) => (i % 16 === 0 ? 1 : 0));
    const ratio = bootstrapRatio({ numerators, denominators }, options);
    expect(ratio.estimate).toBe(0.25);
    // standard error sqrt(0.25 · 0.75 / 100) = 0.0433
    expect((ratio.high - ratio.low) / 2).toBeGreaterThan(0.074);
    expect((ratio.high - ratio.low) / 2).toBeLessThan(0.096);
  });

  test("weighs items by their denominators: (1 + 0) / (1 + 3)", () => {
    expect(bootstrapRatio({ numerators: [1, 0], denominators: [1, 3] }, options).estimate).toBe(0.25);
  });

  test("leaves out resamples in which nothing counts, and is NaN when nothing ever does", () => {
    expect(bootstrapRatio({ numerators: [1, 0], denominators: [1, 0] }, options)).toEqual({
      estimate: 1,
      low: 1,
      high: 1,
    });
    expect(bootstrapRatio({ numerators: [0, 0], denominators: [0, 0] }, options).estimate).toBeNaN();
    expect(bootstrapRatio({ numerators: [0, 0], denominators: [0, 0] }, options).low).toBeNaN();
  });

  test("covers the truth about as often as it says", () => {
    const share = coverage(200, 0.4, (run) => {
      const rng = createRng(500 + run);
      const denominators = list(300, () => (rng.next() < 0.5 ? 1 : 0));
      const numerators = denominators.map((counts) => (counts && rng.next() < 0.4 ? 1 : 0));
      return bootstrapRatio({ numerators, denominators }, { seed: run, resamples: 500 });
    });
    expect(share).toBeGreaterThanOrEqual(0.9);
    expect(share).toBeLessThanOrEqual(0.99);
  });
});

describe("bootstrapRatioDifference", () => {
  test("pairs items: equal arms differ by exactly nothing", () => {
    const ratio = {
      numerators: list(60, (i) => (i % 6 === 0 ? 1 : 0)),
      denominators: list(60, (i) => (i + 1) % 2),
    };
    expect(bootstrapRatioDifference(ratio, ratio, options)).toEqual({ estimate: 0, low: 0, high: 0 });
  });

  test("subtracts rates over different subsets: 2/3 - 1/2", () => {
    const first = { numerators: [1, 1, 0, 0], denominators: [1, 1, 1, 0] };
    const second = { numerators: [0, 0, 1, 0], denominators: [0, 0, 1, 1] };
    expect(bootstrapRatioDifference(first, second, options).estimate).toBeCloseTo(1 / 6, 12);
  });
});

describe("mcnemarExact", () => {
  test("is a two-sided sign test on the items that differ", () => {
    // 1 against 5: 2 · (C(6,0) + C(6,1)) / 2^6 = 14/64
    const first = [1, 0, 0, 0, 0, 0, 1, 0];
    const second = [0, 1, 1, 1, 1, 1, 1, 0];
    const result = mcnemarExact(first, second);
    expect(result.onlyFirst).toBe(1);
    expect(result.onlySecond).toBe(5);
    expect(result.p).toBeCloseTo(14 / 64, 12);
  });

  test("is 1 for equal outcomes and for a balanced difference, with booleans too", () => {
    expect(mcnemarExact([true, false], [true, false])).toEqual({ onlyFirst: 0, onlySecond: 0, p: 1 });
    expect(mcnemarExact([true, false], [false, true]).p).toBe(1);
  });

  test("does not underflow on thousands of items", () => {
    const first = list(4000, (i) => i % 2);
    expect(
      mcnemarExact(
        first,
        first.map((value) => 1 - value),
      ).p,
    ).toBe(1);
    // 1900 against 2100: z = 200 / sqrt(4000) = 3.16, with continuity 3.146, two-sided 0.00165
    const second = list(4000, (i) => (i < 3800 ? 1 - (i % 2) : 1));
    const skewed = mcnemarExact(
      list(4000, (i) => (i < 3800 ? i % 2 : 0)),
      second,
    );
    expect([skewed.onlyFirst, skewed.onlySecond]).toEqual([1900, 2100]);
    expect(skewed.p).toBeCloseTo(0.00165, 4);
  });
});

describe("wilsonInterval", () => {
  test("is the published one for 15 of 148, and keeps width where a rate is 0", () => {
    // Newcombe 1998 (Statistics in Medicine 17, table I), method 3
    const { low, high } = wilsonInterval(15 / 148, 148);
    expect([low, high].map((bound) => bound.toFixed(4))).toEqual(["0.0624", "0.1605"]);
    // Newcombe's 0 of 20: [0, 0.1611]
    expect(wilsonInterval(0, 20)).toEqual({ estimate: 0, low: 0, high: expect.closeTo(0.1611, 4) });
    expect(wilsonInterval(Number.NaN, 0)).toEqual({
      estimate: Number.NaN,
      low: Number.NaN,
      high: Number.NaN,
    });
  });
});
