import { expect, test } from "vitest";
import type { Outcome } from "../core/episode.ts";
import type { Verdict } from "../core/task.ts";
import { failureOf } from "../loop/fakes.test.kit.ts";
import { summarizeCollection } from "./collect-summary.ts";

const solved: Verdict = { kind: "solved" };
const failed = (feedback: string, errorClass?: string): Verdict => ({
  kind: "failed",
  feedback,
  ...(errorClass !== undefined && { errorClass }),
});
const unscored = (cause: string): Verdict => ({ kind: "unscored", cause });

function outcome(problemId: string, verdict: Verdict, length = 1, more: Partial<Outcome> = {}): Outcome {
  const failure = verdict.kind === "failed" && !more.duplicateOf && { failure: failureOf(problemId) };
  return { problemId, generation: 0, verdict, length, truncated: false, ...failure, ...more };
}

test("counts problems by how often they are solved, of what was scored", () => {
  const { problems, solveRates, attempts } = summarizeCollection([
    outcome("never", failed("")),
    ...[outcome("half", solved), outcome("half", failed("")), outcome("half", unscored("slow"))],
    outcome("always", solved),
    outcome("unknown", unscored("slow")),
  ]);
  expect(problems).toEqual({ total: 4, never: 1, sometimes: 1, always: 1, unscored: 1 });
  expect(solveRates).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  expect(attempts).toEqual({ total: 6, solved: 2, failed: 2, unscored: 2 });
});

test("counts failed attempts by the task's class, else by what stands before the feedback's colon", () => {
  const { errors, failures } = summarizeCollection([
    outcome("p", failed("missed: 17 is 3 below 20")),
    outcome("p", failed("missed: 17 is 3 below 20"), 1, { duplicateOf: "p#0" }),
    outcome("q", failed("missed: 18 is 2 below 20")),
    outcome("q", failed("name: wrong", "wrong_function")),
    outcome("q", failed("17 is wrong")),
  ]);
  expect(errors).toEqual([
    { errorClass: "missed", attempts: 3, problems: 2 },
    { errorClass: "unclassified", attempts: 1, problems: 1 },
    { errorClass: "wrong_function", attempts: 1, problems: 1 },
  ]);
  expect(failures).toEqual({ distinct: 4, repeated: 1 });
});

test("lists the twenty commonest classes and what is left as one", () => {
  const rare = Array.from({ length: 25 }, (_, i) => outcome("p", failed("", `class ${i}`)));
  const { errors } = summarizeCollection([...rare, outcome("p", failed("", "class 3"))]);
  expect(errors).toHaveLength(21);
  expect(errors[0]).toEqual({ errorClass: "class 3", attempts: 2, problems: 1 });
  expect(errors.at(-1)).toEqual({ errorClass: "others", attempts: 5, problems: 1 });
});

test("measures lengths, and the share that was cut", () => {
  const { lengths } = summarizeCollection([
    outcome("p", failed(""), 2),
    outcome("p", failed(""), 4),
    outcome("p", failed(""), 5),
    outcome("p", failed(""), 9, { truncated: true }),
  ]);
  expect(lengths).toEqual({ solved: null, failed: { mean: 5, median: 4.5, max: 9, truncated: 0.25 } });
});

test("says why verdicts are missing", () => {
  const outcomes = ["slow", "threw", "slow"].map((cause) => outcome("p", unscored(cause)));
  expect(summarizeCollection(outcomes).unscored).toEqual([
    { cause: "slow", attempts: 2 },
    { cause: "threw", attempts: 1 },
  ]);
});

test("of nothing is all zero", () => {
  expect(summarizeCollection([])).toMatchObject({
    problems: { total: 0 },
    errors: [],
    lengths: { solved: null },
  });
});
