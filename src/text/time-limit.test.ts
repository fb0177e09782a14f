import { expect, test } from "vitest";
import { withinTime } from "./time-limit.ts";

const backtrack = () => /a*a*a*a*b/u.test("a".repeat(5000));

test("a regular expression that goes back without end is ended, and what comes after it is not", () => {
  const start = performance.now();
  expect(() => withinTime(backtrack, 100)).toThrow("it took more than 0.1 s");
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(withinTime(() => [1, 2], 10_000)).toEqual([1, 2]);
});

test("work during which the process stood still is tried again", () => {
  let tries = 0;
  const slowOnce = () => (tries++ === 0 ? backtrack() : "done");
  expect(withinTime(slowOnce, 100)).toBe("done");
});

test.each([null, undefined, "no"])("what is thrown may be anything, %s", (thrown) => {
  const work = () => {
    throw thrown;
  };
  const caught: unknown[] = [];
  try {
    withinTime(work, 10_000);
  } catch (error) {
    caught.push(error);
  }
  expect(caught).toEqual([thrown]);
});

test("what the work throws comes through as it is", () => {
  const error = new RangeError("no");
  expect(() =>
    withinTime(() => {
      throw error;
    }, 10_000),
  ).toThrow(error);
});
