import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type EquationOptions, verifyCountdown, verifyEquation } from "./verify.ts";

const row = { nums: [3, 7, 12], target: 22 };

function verdictOf(equation: string, options?: EquationOptions, problem = row): string {
  const verdict = verifyEquation(equation, problem, options);
  return verdict.kind === "failed" ? verdict.feedback : verdict.kind;
}

test.each(["12+7+3", "3 + (7 + 12)", "(((12)))+7+3", "12\n+7+3"])("%j solves it", (equation) => {
  expect(verdictOf(equation)).toBe("solved");
});

describe("says why it fails:", () => {
  test.each([
    ["", "no equation: empty"],
    ["twenty-two", 'no equation: unexpected "t" at position 1'],
    ["12+7", "wrong numbers: used [7, 12], given [3, 7, 12]"],
    ["12+7+3+3-3", "wrong numbers: used [3, 3, 3, 7, 12], given [3, 7, 12]"],
    ["22", "wrong numbers: used [22], given [3, 7, 12]"],
    ["12+7-3", "missed: 16 is 6 below 22"],
    ["12*7+3", "missed: 87 is 65 above 22"],
    ["12/7+3", "missed: 33/7 is 121/7 below 22"],
    ["12/(7-7)+3", "no equation: division by zero"],
  ])("%j: %s", (equation, feedback) => {
    expect(verdictOf(equation)).toBe(feedback);
  });
});

describe("closes the loopholes of pattern matching and eval:", () => {
  test.each([
    ["7.5*2", { nums: [7, 5, 2], target: 15 }],
    ["3**2+1", { nums: [3, 2, 1], target: 10 }],
    ["9//2+1", { nums: [9, 2, 1], target: 5 }],
    ["3^2+1", { nums: [3, 2, 1], target: 10 }],
    ["-3+5", { nums: [3, 5], target: 2 }],
    ["5-(-3)", { nums: [3, 5], target: 8 }],
    ["03+5", { nums: [3, 5], target: 8 }],
    ["3(5)", { nums: [3, 5], target: 15 }],
    ["3+5=8", { nums: [3, 5], target: 8 }],
    ["8=3+5", { nums: [3, 5], target: 8 }],
    ["3 5", { nums: [3, 5], target: 35 }],
    ["3+5#", { nums: [3, 5], target: 8 }],
    ["3e0+5", { nums: [3, 0, 5], target: 8 }],
    ["0x3+5", { nums: [0, 3, 5], target: 8 }],
    // 1/3*3 in floats, and a value within 1e-5 of the target
    ["99999/100000", { nums: [99999, 100000], target: 1 }],
  ])("%s", (equation, problem) => {
    expect(verdictOf(equation, {}, problem)).not.toBe("solved");
  });
});

test("a unary minus and a trailing = target pass only by option", () => {
  const two = { nums: [3, 5], target: 2 };
  expect(verdictOf("-3+5", { allowUnaryMinus: true }, two)).toBe("solved");
  const equals = { allowTrailingEquals: true };
  expect(verdictOf("12+7+3 = 22", equals)).toBe("solved");
  expect(verdictOf("12+7+3", equals)).toBe("solved");
  expect(verdictOf("12+7+3 = 23", equals)).toMatch(/^no equation/);
  expect(verdictOf("12+7+3 = 22 = 22", equals)).toMatch(/^no equation/);
  expect(verdictOf("12+7-3 = 22", equals)).toMatch(/^missed/);
  expect(verdictOf("22 = 12+7+3", equals)).toMatch(/^no equation/);
});

test("division counts only where it is allowed", () => {
  const problem = { nums: [6, 3], target: 2 };
  expect(verdictOf("6/3", {}, problem)).toBe("solved");
  expect(verdictOf("6/3", { operators: "+-*" }, problem)).toBe("no equation: / is not one of +-*");
});

test("the last answer counts, in the place that the wording asks for", () => {
  const kind = (text: string, answerIn?: "tag" | "boxed") => verifyCountdown(text, row, { answerIn }).kind;
  expect(kind("<answer>1</answer> no, <answer> 12+7+3 </answer>")).toBe("solved");
  expect(kind("<answer>12+7+3</answer><answer>1</answer>")).toBe("failed");
  expect(kind("12+7+3")).toBe("failed");
  expect(kind("\\boxed{12+7+3}")).toBe("failed");
  expect(kind("\\boxed{12+7+3}", "boxed")).toBe("solved");
  expect(verifyCountdown("12+7+3", row)).toEqual({
    kind: "failed",
    feedback: "no equation: nothing in <answer>…</answer>",
  });
});

test("reads LaTeX's operators", () => {
  const problem = { nums: [3, 7, 12], target: 4 };
  const text = "\\boxed{\\left(7 - 3\\right) \\times 12 \\div 12}";
  expect(verifyCountdown(text, { ...problem, nums: [3, 7, 12, 12] }, { answerIn: "boxed" }).kind).toBe(
    "solved",
  );
});

test("for any text, answers and does not throw", () => {
  const pieces = [
    "<answer>",
    "</answer>",
    "\\boxed{",
    "}",
    "{",
    "12",
    "7",
    "3",
    "+",
    "-",
    "*",
    "/",
    "(",
    ")",
    "=",
  ];
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...pieces, " ", ".", "e", "\\times")).map((parts) => parts.join("")),
  );
  const options = fc.record({
    answerIn: fc.constantFrom("tag" as const, "boxed" as const),
    allowUnaryMinus: fc.boolean(),
    allowTrailingEquals: fc.boolean(),
  });
  fc.assert(
    fc.property(text, options, (it, settings) => {
      expect(["solved", "failed"]).toContain(verifyCountdown(it, row, settings).kind);
      expect(["solved", "failed"]).toContain(verifyEquation(it, row, settings).kind);
    }),
    { numRuns: 2000 },
  );
});

test.each(["<answer>", "(", "1+", "<answer>1</answer>", "\\boxed{", "\\times", "\\left(", "="])(
  "answers within a second on 1 MB of %s",
  (piece) => {
    const text = piece.repeat(Math.ceil(1e6 / piece.length));
    const start = performance.now();
    for (const answerIn of ["tag", "boxed"] as const) {
      expect(verifyCountdown(text, row, { answerIn }).kind).toBe("failed");
      verifyCountdown(`<answer>${text}</answer>\\boxed{${text}}`, row, {
        answerIn,
        allowTrailingEquals: true,
      });
    }
    expect(performance.now() - start).toBeLessThan(1000);
  },
);
