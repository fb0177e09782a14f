import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ExpressionOptions, evaluateExpression } from "./expression.ts";
import { formatRational } from "./rational.ts";

function valueOfText(text: string, options?: ExpressionOptions): string {
  const result = evaluateExpression(text, options);
  return result.ok ? formatRational(result.value) : result.reason;
}

test.each([
  ["1+2*3", "7"],
  ["(1+2)*3", "9"],
  ["8-3-2", "3"],
  ["8/4/2", "1"],
  ["8/(4/2)", "4"],
  [" ( 1 + 2 ) / 3 ", "1"],
  ["1/3", "1/3"],
  ["1/3*3", "1"],
  ["2−5", "-3"],
  ["6×7÷2", "21"],
  ["0", "0"],
  ["999999999999999*999999999999999", "999999999999998000000000000001"],
])("%s is %s", (text, value) => {
  expect(valueOfText(text)).toBe(value);
});

test("lists the numbers in the order in which they are written", () => {
  expect(evaluateExpression("(12+3)*7-3")).toMatchObject({ ok: true, numbers: [12, 3, 7, 3] });
});

describe("refuses, with a reason,", () => {
  test.each([
    ["", "empty"],
    ["   ", "it ends too early"],
    ["1+", "it ends too early"],
    ["(1+2", "it ends too early"],
    ["1+2)", "unexpected ) at position 4"],
    ["()", "unexpected ) at position 2"],
    ["7.5*2", 'unexpected "." at position 2'],
    ["3**2+1", "unexpected * at position 3"],
    ["9//2+1", "unexpected / at position 3"],
    ["2^3", 'unexpected "^" at position 2'],
    ["2(3)", "unexpected ( at position 2"],
    ["(2)(3)", "unexpected ( at position 4"],
    ["2 3", "unexpected 3 at position 3"],
    ["007", "leading zero at position 1"],
    ["1e3", 'unexpected "e" at position 2'],
    ["1_000", 'unexpected "_" at position 2'],
    ["1,000", 'unexpected "," at position 2'],
    ["3=3", 'unexpected "=" at position 2'],
    ["٣", 'unexpected "٣" at position 1'],
    ["-3", "unexpected - at position 1"],
    ["4*-3", "unexpected - at position 3"],
    ["+3", "unexpected + at position 1"],
    ["1/0", "division by zero"],
    ["1/(2-2)", "division by zero"],
    ["1234567890123456", "a number of 16 digits"],
    ["constructor", 'unexpected "c" at position 1'],
  ])("%j: %s", (text, reason) => {
    expect(evaluateExpression(text)).toEqual({ ok: false, reason });
  });
});

test("takes a unary minus only when allowed", () => {
  const options = { allowUnaryMinus: true };
  expect(valueOfText("-3+5", options)).toBe("2");
  expect(valueOfText("4*-(1+2)", options)).toBe("-12");
  expect(valueOfText("2--3", options)).toBe("5");
  expect(valueOfText("+3", options)).toBe("unexpected + at position 1");
});

test("takes only the operators asked for", () => {
  expect(valueOfText("6/3", { operators: "+-*" })).toBe("/ is not one of +-*");
  expect(valueOfText("6*3", { operators: "+-*" })).toBe("18");
});

test("caps length and depth instead of running out of stack", () => {
  expect(valueOfText("(".repeat(60) + 1 + ")".repeat(60))).toBe("1");
  expect(valueOfText("(".repeat(64) + 1 + ")".repeat(64))).toBe("nested deeper than 64");
  expect(valueOfText("-".repeat(500) + 1, { allowUnaryMinus: true })).toBe("nested deeper than 64");
  expect(valueOfText(`1${"+1".repeat(256)}`)).toBe("longer than 512 characters");
});

const expressions = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.nat(99).map(String),
    fc
      .tuple(tie("tree"), fc.constantFrom("+", "-", "*", "/"), tie("tree"))
      .map(([a, operator, b]) => `(${a}${operator}${b})`),
    fc
      .tuple(tie("tree"), fc.constantFrom("+", "-"), fc.nat(99))
      .map(([a, operator, b]) => `${a}${operator}${b}`),
  ),
})).tree;

test("for any expression, agrees with JavaScript's own arithmetic", () => {
  fc.assert(
    fc.property(expressions, (text) => {
      const result = evaluateExpression(text);
      const expected: number = new Function(`return ${text}`)();
      if (result.ok) {
        const value = Number(result.value.numerator) / Number(result.value.denominator);
        expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(expected)));
      } else {
        expect(result.reason).toMatch(/division by zero|longer than/);
      }
    }),
    { numRuns: 500 },
  );
});

test("for any text, answers and does not throw", () => {
  const characters = fc.constantFrom(...[..."0123456789+-*/()×÷− .=^e_\\\n"], "𝟛", "\u0000");
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: characters })), (text) => {
      expect(typeof evaluateExpression(text, { allowUnaryMinus: true }).ok).toBe("boolean");
    }),
    { numRuns: 2000 },
  );
});
