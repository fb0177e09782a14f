import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluateExpression } from "../../verify/math/expression.ts";
import { isSolvable, type Operators, reachableTargets, solutions } from "./enumerate.ts";
import { verifyEquation } from "./verify.ts";

/** Every equation of three numbers as text: 6 orders, both trees, all pairs of operators. */
function everyEquation([x, y, z]: readonly [number, number, number], operators: Operators): string[] {
  const orders = [
    [x, y, z],
    [x, z, y],
    [y, x, z],
    [y, z, x],
    [z, x, y],
    [z, y, x],
  ];
  return orders.flatMap(([a, b, c]) =>
    [...operators].flatMap((o) =>
      [...operators].flatMap((p) => [`(${a}${o}${b})${p}${c}`, `${a}${o}(${b}${p}${c})`]),
    ),
  );
}

const triples = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20));

describe.each(["+-*", "+-*/"] as const)("with operators %s", (operators) => {
  test("for any three numbers, reaches exactly what writing out every equation reaches", () => {
    fc.assert(
      fc.property(triples, (nums) => {
        const expected = new Set<number>();
        for (const text of everyEquation(nums, operators)) {
          const result = evaluateExpression(text);
          if (!result.ok || result.value.denominator !== 1n || result.value.numerator < 0n) continue;
          expected.add(Number(result.value.numerator));
        }
        expect([...reachableTargets(nums, { operators })].sort()).toEqual([...expected].sort());
      }),
      { numRuns: 200 },
    );
  });

  test("for any three numbers and target, solver and verifier agree on every equation", () => {
    fc.assert(
      fc.property(triples, fc.nat(60), (nums, target) => {
        const row = { nums, target };
        const solved = everyEquation(nums, operators).some((it) => verifyEquation(it, row).kind === "solved");
        expect(isSolvable(nums, target, { operators })).toBe(solved);
        const found = solutions(nums, target, { operators });
        expect(found.length > 0).toBe(solved);
        for (const it of found) expect(verifyEquation(it, row, { operators })).toEqual({ kind: "solved" });
      }),
      { numRuns: 200 },
    );
  });
});

test("gives one text for equations that differ by order, grouping or signs only", () => {
  expect(solutions([3, 7, 12], 22)).toEqual(["12+7+3"]);
  expect(solutions([3, 7, 12], 8)).toEqual(["12+3-7"]);
  expect(solutions([2, 2], 4)).toEqual(["2*2", "2+2"]);
  expect(solutions([1, 5, 5], 24)).toEqual(["5*5-1"]);
  expect(solutions([8, 2, 3], 18, { operators: "+-*" })).toEqual(["(8-2)*3"]);
  expect(solutions([4, 2, 8], 1)).toEqual(["4*2/8", "8/4/2"]);
});

test("knows equations whose intermediate values are fractions", () => {
  expect(solutions([3, 3, 8, 8], 24)).toEqual(["8/(3-8/3)"]);
  expect(isSolvable([3, 3, 8, 8], 24)).toBe(true);
  expect(isSolvable([3, 3, 8, 8], 24, { operators: "+-*" })).toBe(false);
});

test("shortest equations come first", () => {
  const lengths = solutions([2, 3, 4, 6], 24).map((text) => text.length);
  expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
  expect(lengths.length).toBeGreaterThan(5);
});

test("handles one number, none, and a target out of reach", () => {
  expect(solutions([7], 7)).toEqual(["7"]);
  expect(solutions([], 0)).toEqual([]);
  expect(isSolvable([], 0)).toBe(false);
  expect(solutions([1, 1], 99)).toEqual([]);
});

test("refuses numbers beyond exact arithmetic", () => {
  for (const nums of [
    [1.5, 2],
    [-1, 2],
    [1e9, 1e9],
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  ]) {
    expect(() => solutions(nums, 3)).toThrow(/numbers must be whole/);
  }
});

test("the published rows seen so far are solvable", () => {
  const rows = [
    [[44, 19, 35], 98],
    [[63, 95, 96], 64],
    [[95, 11, 56], 28],
    [[83, 78, 1, 39], 82],
    [[67, 21, 31, 20], 98],
    [[74, 5, 20, 88], 50],
  ] as const;
  for (const [nums, target] of rows) expect(isSolvable(nums, target)).toBe(true);
});

const GAME_OF_24 = "../shared/data/game-of-24/24.csv";

test.skipIf(!existsSync(GAME_OF_24))("every puzzle of the game of 24 is solvable", () => {
  const puzzles = readFileSync(GAME_OF_24, "utf8").trim().split("\n").slice(1);
  expect(puzzles.length).toBe(1362);
  puzzles.forEach((line, i) => {
    const nums = line.split(",")[1]!.split(" ").map(Number);
    expect(isSolvable(nums, 24), line).toBe(true);
    if (i % 10 > 0) return;
    for (const it of solutions(nums, 24)) {
      expect(verifyEquation(it, { nums, target: 24 }), it).toEqual({ kind: "solved" });
    }
  });
});
