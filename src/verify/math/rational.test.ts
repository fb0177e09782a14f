import fc from "fast-check";
import { expect, test } from "vitest";
import { add, divide, equals, formatRational, multiply, rational, subtract } from "./rational.ts";

const rationals = fc
  .tuple(
    fc.bigInt(),
    fc.bigInt().filter((d) => d !== 0n),
  )
  .map(([n, d]) => rational(n, d));

test("keeps lowest terms and a positive denominator", () => {
  expect(rational(6, -4)).toEqual({ numerator: -3n, denominator: 2n });
  expect(rational(0, -7)).toEqual({ numerator: 0n, denominator: 1n });
  expect(() => rational(1, 0)).toThrow(RangeError);
});

test("1/3 three times is exactly 1", () => {
  const third = rational(1, 3);
  expect(add(add(third, third), third)).toEqual(rational(1));
});

test("for any a and b: (a - b) + b = a, and (a / b) * b = a where b is not 0", () => {
  fc.assert(
    fc.property(rationals, rationals, (a, b) => {
      expect(equals(add(subtract(a, b), b), a)).toBe(true);
      if (b.numerator !== 0n) expect(equals(multiply(divide(a, b), b), a)).toBe(true);
    }),
  );
});

test("writes whole numbers plainly and others as a fraction", () => {
  expect([rational(16), rational(-7, 2)].map(formatRational)).toEqual(["16", "-7/2"]);
});
