import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leaksSolution } from "./leaks.ts";

const row = { nums: [3, 7, 12], target: 22 };

describe("a reflection that gives the solution away leaks:", () => {
  test.each([
    "12+7+3",
    "I should have tried 12 + 7 + 3.",
    "use 12+7+3=22",
    "22=12+7+3",
    "it is (12+7)+3!",
    "(try 12+7+3)",
    "(the sum (12+7)+3)",
    "- 12+7+3\n- 7*3",
    "1. 12+7+3",
    "12-7+3 is 8; 12+7+3 is 22",
    "not 5 12+7+3",
    "<answer>12+7+3</answer>",
    "12 + 7 + 3 − or so",
  ])("%j", (text) => {
    expect(leaksSolution(text, row)).toBe(true);
  });
});

describe("hints do not:", () => {
  test.each([
    "",
    "too low. add more",
    "12+7",
    "start with 12+7=19",
    "12+7=19, 19+3=22",
    "12-7+3",
    "5*12+7+3",
    "12+7+3*2",
    "12+7+3-22=0",
    "0.12+7+3",
    "12+7+3.5",
    "12,7,3",
    "22",
  ])("%j", (text) => {
    expect(leaksSolution(text, row)).toBe(false);
  });
});

test("reads × and LaTeX, and the left side of an equation", () => {
  const problem = { nums: [4, 7, 6], target: 22 };
  expect(leaksSolution("4×7−6=22", problem)).toBe(true);
  expect(leaksSolution("4*7-6=22", problem)).toBe(true);
  expect(leaksSolution("$4 \\times 7 - 6$", problem)).toBe(true);
});

test("for any hint around it, a solution is found", () => {
  const words = fc
    .array(fc.constantFrom("low", "try", "(", ")", "=", ":", "\n", ".", "12", "wrong"))
    .map((it) => it.join(" "));
  fc.assert(
    fc.property(words, words, (before, after) => {
      expect(leaksSolution(`${before} so 12+7+3 then ${after}`, row)).toBe(true);
    }),
  );
});

test.each(["1+", "(", "1+1+1)(", "((((1+1+1))))", "1 "])("answers within a second on 1 MB of %s", (piece) => {
  const start = performance.now();
  leaksSolution(piece.repeat(1e6 / piece.length), { nums: [1, 1, 1], target: 99 });
  expect(performance.now() - start).toBeLessThan(1000);
});
