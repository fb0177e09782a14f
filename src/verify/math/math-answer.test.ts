import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizeMath, readNumber, sameMathAnswer } from "./math-answer.ts";
import { formatRational } from "./rational.ts";

describe("the same answer", () => {
  test.each([
    ["\\frac{3}{4}", "\\dfrac 34"],
    ["\\frac{3}{4}", "3/4"],
    ["\\frac{3}{4}", "0.75"],
    ["-\\frac{1}{2}", "\\frac{-1}{2}"],
    ["-\\frac12", "-0.5"],
    ["\\frac1{72}", "\\frac{1}{72}"],
    ["\\frac 1 2", "\\frac{1} 2"],
    ["10\\,080", "10 \\! , 080"],
    ["\\frac{x+1}2", "\\frac{x+1}{2}"],
    ["1,234", "1234"],
    ["10,\\!080", "10080"],
    ["1{,}000{,}000", "1000000"],
    ["18.00", "18"],
    [".5", "0.5"],
    ["\\$18.50", "18.5"],
    ["$18$", "18"],
    ["50\\%", "50"],
    ["90^\\circ", "90"],
    ["90^{\\circ}", "90°"],
    ["12\\text{ cm}", "12"],
    ["12 \\text{ cm}^2", "12"],
    ["12\\mbox{ square feet}", "12"],
    ["x = 5", "5"],
    ["5.", "5"],
    ["\\left( 1, 2 \\right)", "(1,2)"],
    ["\\left[0, \\infty\\right)", "[0,\\infty)"],
    ["\\sqrt2", "\\sqrt{2}"],
    ["2\\sqrt 3", "2\\sqrt{3}"],
    ["\\text{Evelyn}", "Evelyn"],
    ["\\text{(B)}", "(B)"],
    ["\\frac{\\pi}{2}", "\\dfrac{π}{2}"],
    ["−7", "-7"],
    ["11 \\, \\pi", "11\\pi"],
  ])("%s is %s", (a, b) => {
    expect(sameMathAnswer(a, b)).toBe(true);
    expect(sameMathAnswer(b, a)).toBe(true);
  });
});

describe("another answer", () => {
  test.each([
    ["\\frac{3}{4}", "\\frac{4}{3}"],
    ["1", "-1"],
    ["(1,2)", "(2,1)"],
    ["(1,2)", "[1,2]"],
    ["12", "1,2"],
    ["12", "1 2"],
    ["12", "1\\, 2"],
    ["1,23", "123"],
    ["18", "17 or 18"],
    ["18", "18, 19"],
    ["18", "$18 per day and $2"],
    ["5", "5cm"],
    ["x^2", "x2"],
    ["0.333", "\\frac{1}{3}"],
    ["\\frac{1}{0}", "\\infty"],
    ["2\\pi", "6.28"],
    ["x=5", "y=5=z"],
    ["", ""],
    ["$", "$"],
    ["18", ""],
    ["\\leftarrow", "arrow"],
    ["9007199254740993", "9007199254740992"],
    ["0.1", "0.10000000000000001"],
  ])("%s is not %s", (a, b) => {
    expect(sameMathAnswer(a, b)).toBe(false);
    expect(sameMathAnswer(b, a)).toBe(false);
  });
});

test("reads numbers exactly, and nothing else as one", () => {
  const read = (text: string) => {
    const number = readNumber(text);
    return number && formatRational(number);
  };
  expect(["-1,234.50", "\\dfrac{6}{-4}", "+3", "007", "\\$2,125"].map(read)).toEqual([
    "-2469/2",
    "-3/2",
    "3",
    "7",
    "2125",
  ]);
  expect(
    ["", "1e3", "0x10", "Infinity", "1,23", "two", "1 2x", "\\frac{1}{0}", "9".repeat(101)].map(read),
  ).toEqual(Array(9).fill(undefined));
});

test("any answer that is not blank is itself, whatever it is, and comparing is symmetric", () => {
  const pieces = fc.constantFrom(
    "\\frac",
    "{",
    "}",
    "1",
    "2",
    ",",
    ".",
    "-",
    " ",
    "\\text{",
    "\\left(",
    ")",
    "x",
    "=",
    "$",
    "\\%",
    "\\sqrt",
    "/",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      expect(sameMathAnswer(a, a)).toBe(normalizeMath(a) !== "");
      expect(sameMathAnswer(a, b)).toBe(sameMathAnswer(b, a));
    }),
    { numRuns: 300 },
  );
});

test("takes no longer than linear time", () => {
  const start = performance.now();
  for (const piece of [
    "\\frac",
    "{",
    "\\text{",
    " ",
    "1,",
    "\\left(",
    "^\\circ",
    "=",
    "x=",
    "1",
    "\\text{a}",
    ".",
    "}\\text{",
    "\\frac{",
  ]) {
    normalizeMath(piece.repeat(2000 / piece.length));
    normalizeMath(`\\frac{${piece.repeat(1900 / piece.length)}}2`);
  }
  expect(performance.now() - start).toBeLessThan(2000);
});
