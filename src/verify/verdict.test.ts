import { describe, expect, test } from "vitest";
import type { VerifierAnswer } from "../core/task.ts";
import { MAX_ANSWER_LENGTH, verifyAnswer } from "./verdict.ts";

const verdictOf = (verify: () => unknown) =>
  verifyAnswer({ verify: verify as () => VerifierAnswer }, "an answer", {}, { timeoutMs: 50 });

describe("adapts what a verifier may return", () => {
  test.each([
    [true, { kind: "solved" }],
    [false, { kind: "failed", feedback: "" }],
    [1, { kind: "solved" }],
    [2.5, { kind: "solved" }],
    [0.99, { kind: "failed", feedback: "score 0.99" }],
    [0, { kind: "failed", feedback: "score 0" }],
    [{ kind: "solved", score: 1 }, { kind: "solved" }],
    [
      { kind: "failed", feedback: "off by 2" },
      { kind: "failed", feedback: "off by 2" },
    ],
    [{ kind: "failed" }, { kind: "failed", feedback: "" }],
    [
      { kind: "failed", feedback: "2, not 3", errorClass: "wrong_value", solvedLeniently: false },
      { kind: "failed", feedback: "2, not 3", errorClass: "wrong_value", solvedLeniently: false },
    ],
    [
      { kind: "failed", errorClass: 3, solvedLeniently: "yes" },
      { kind: "failed", feedback: "" },
    ],
    [
      { kind: "unscored", cause: "no network" },
      { kind: "unscored", cause: "no network" },
    ],
  ])("%j", async (answer, verdict) => {
    expect(await verdictOf(() => answer)).toEqual(verdict);
    expect(await verdictOf(async () => answer)).toEqual(verdict);
  });
});

describe("leaves unscored what a verifier may not return", () => {
  test.each([
    [null, "the verifier returned no verdict"],
    [undefined, "the verifier returned no verdict"],
    [Number.NaN, /returned NaN: expected true, false/],
    [Number.POSITIVE_INFINITY, /returned Infinity/],
    ["yes", /returned yes/],
    [{ kind: "maybe" }, /returned \{"kind":"maybe"\}/],
    [{}, /returned \{\}/],
    [10n, /returned 10/],
    [Symbol("s"), /returned Symbol\(s\)/],
    [() => true, /returned/],
  ])("%s", async (answer, cause) => {
    const expected = typeof cause === "string" ? cause : expect.stringMatching(cause);
    expect(await verdictOf(() => answer)).toEqual({ kind: "unscored", cause: expected });
  });
});

test("leaves unscored what throws or rejects, whatever is thrown", async () => {
  const cause = (text: string) => ({ kind: "unscored", cause: `the verifier threw: ${text}` });
  expect(
    await verdictOf(() => {
      throw new Error("no such column");
    }),
  ).toEqual(cause("no such column"));
  expect(await verdictOf(() => Promise.reject(new Error("refused")))).toEqual(cause("refused"));
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  expect(await verdictOf(() => Promise.reject(circular))).toEqual(cause("a object"));
});

test("leaves unscored what takes too long, also when it rejects afterwards", async () => {
  const late = () => new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 80));
  const unscored = { kind: "unscored", cause: "the verifier took longer than 50 ms" };
  expect(await verdictOf(late)).toEqual(unscored);
  expect(await verdictOf(() => new Promise(() => {}))).toEqual(unscored);
  await new Promise((resolve) => setTimeout(resolve, 60));
});

test("cuts an answer before the verifier sees it, and passes the row on", async () => {
  let seen = 0;
  const row = { target: 3 };
  const verify = (answer: string, given: unknown) => {
    seen = answer.length;
    return given === row;
  };
  expect(await verifyAnswer({ verify }, "x".repeat(1_000_000), row)).toEqual({ kind: "solved" });
  expect(seen).toBe(MAX_ANSWER_LENGTH);
});
