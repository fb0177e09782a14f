import fc from "fast-check";
import { expect, test } from "vitest";
import { choiceFrom, letterOf } from "./choice-answer.ts";

const cities = ["Rome", "Paris", "Oslo"];

test.each([
  ["B", 1],
  [" b ", 1],
  ["(B)", 1],
  ["B.", 1],
  ["B)", 1],
  ["\\text{B}", 1],
  ["\\textbf{(C)}", 2],
  ["B. Paris", 1],
  ["(B) Paris", 1],
  ["B: Paris ", 1],
  // another choice's words contradict the letter
  ["B. Rome", undefined],
  ["D", undefined],
  ["Paris", undefined],
  ["A or B", undefined],
  ["A, B", undefined],
  ["AB", undefined],
  ["A B", undefined],
  ["", undefined],
  ["?", undefined],
  ["1", undefined],
  ["Б", undefined],
  ["B".repeat(3000), undefined],
])("%s: %s", (answer, index) => {
  expect(choiceFrom(answer, cities)).toBe(index);
});

test("every letter names its choice, and no text makes it throw", () => {
  const many = Array.from({ length: 26 }, (_, i) => `choice ${i}`);
  for (const [i, words] of many.entries()) {
    expect(choiceFrom(letterOf(i), many)).toBe(i);
    expect(choiceFrom(`${letterOf(i)}. ${words}`, many)).toBe(i);
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const index = choiceFrom(text, cities);
      expect(index === undefined || index < 3).toBe(true);
    }),
  );
});
