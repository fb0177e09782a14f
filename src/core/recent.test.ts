import { expect, test } from "vitest";
import { recent } from "./recent.ts";

test("makes what it was not asked for lately, and no more", () => {
  const made: string[] = [];
  const lengthOf = recent(2, (key) => {
    made.push(key);
    return key.length;
  });
  expect(["", "a", "", "bb", "", "a"].map(lengthOf)).toEqual([0, 1, 0, 2, 0, 1]);
  expect(made).toEqual(["", "a", "bb", "a"]);
});

test("what is thrown is thrown again", () => {
  let calls = 0;
  const fail = recent(2, () => {
    throw new RangeError(String(++calls));
  });
  expect(() => fail("a")).toThrow("1");
  expect(() => fail("a")).toThrow("2");
});
