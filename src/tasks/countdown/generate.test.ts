import { describe, expect, test } from "vitest";
import { isSolvable } from "./enumerate.ts";
import { canonicalForm, countdownSplit, generateCountdown } from "./generate.ts";

test("the canonical form ignores the order of the numbers", () => {
  expect(canonicalForm({ nums: [12, 3, 7], target: 22 })).toBe("3,7,12=22");
  expect(canonicalForm({ nums: [2, 10], target: 1 })).toBe("2,10=1");
});

test("problems are solvable, in range and different from each other", () => {
  const rows = generateCountdown({ count: 300, seed: 1 });
  for (const { nums, target } of rows) {
    expect(nums).toHaveLength(3);
    for (const n of nums) expect(n >= 1 && n <= 20).toBe(true);
    expect(target >= 1 && target <= 99).toBe(true);
    expect(isSolvable(nums, target, { operators: "+-*" })).toBe(true);
  }
  expect(new Set(rows.map(canonicalForm)).size).toBe(300);
  expect(rows.some(({ nums }) => nums[0]! > nums[1]!)).toBe(true);
});

test("the same seed gives the same problems, whatever the count; another seed others", () => {
  const rows = generateCountdown({ count: 50, seed: 7 });
  expect(generateCountdown({ count: 20, seed: 7 })).toEqual(rows.slice(0, 20));
  expect(generateCountdown({ count: 50, seed: 8 })).not.toEqual(rows);
});

test("leaves out what is excluded", () => {
  const rows = generateCountdown({ count: 100, seed: 2, exclude: (canonical) => !canonical.endsWith("=24") });
  expect(new Set(rows.map(({ target }) => target))).toEqual(new Set([24]));
});

test("says so when the range holds too few", () => {
  const few = { count: 100, seed: 0, numbers: 2, min: 1, max: 2, operators: "+-*" as const };
  // 1 and 1: 1, 2; 1 and 2: 1, 2, 3; 2 and 2: 4
  expect(() => generateCountdown(few)).toThrow(/100 problems of 2 numbers 1-2: the range holds only about 6/);
});

test("four numbers with division are drawn in reasonable time", () => {
  const start = performance.now();
  generateCountdown({ count: 100, seed: 0, numbers: 4, max: 99, targetMin: 10, operators: "+-*/" });
  expect(performance.now() - start).toBeLessThan(5000);
});

describe("the splits", () => {
  const rows = generateCountdown({ count: 8000, seed: 3 });
  const splits = rows.map(countdownSplit);
  const share = (split: string) => splits.filter((it) => it === split).length / rows.length;

  test("every target ending in 7 is held out, and no other", () => {
    rows.forEach(({ target }, i) => {
      expect(splits[i] === "held-out-target").toBe(target % 10 === 7);
    });
  });

  test("of the rest about 15 % are test and 10 % validation", () => {
    const rest = 1 - share("held-out-target");
    expect(share("test") / rest).toBeCloseTo(0.15, 1);
    expect(share("validation") / rest).toBeCloseTo(0.1, 1);
  });

  test("do not depend on the order of the numbers, and never move", () => {
    const reversed = rows.map(({ nums, target }) => countdownSplit({ nums: [...nums].reverse(), target }));
    expect(reversed).toEqual(splits);
    // fixed for good: the shipped model was trained without the test problems
    const fixed = [22, 23, 24, 25, 26, 27].map((target) => countdownSplit({ nums: [3, 7, 12], target }));
    expect(fixed).toEqual(["train", "train", "train", "test", "train", "held-out-target"]);
  });
});
