import { describe, expect, test } from "vitest";
import { wordTask } from "../loop/fakes.test.kit.ts";
import { evaluatePolicy, failuresOf } from "./evaluation.ts";
import { evaluationOptions, partPolicy, type Script } from "./fakes.test.kit.ts";
import { summarize } from "./measures.ts";

const task = wordTask(5);
const cheap = { ...evaluationOptions, controls: false };

/** q0 solved at first; of the failures q1 … q4 reflection rescues q1 and q2 (q2 by a leak), a fresh attempt q3. */
const start: Script = {
  attempt: (problem, n) => (problem === "q0" || (problem === "q3" && n === 1) ? "yes" : "no"),
  reflection: (problem) => (problem === "q2" ? "yes" : problem),
  retry: (problem, reflection) => {
    if (problem === "q1" && reflection === "q1") return "yes";
    if (problem === "q2" && reflection === "yes") return "yes";
    return problem === "q4" && reflection.startsWith(".") ? "yes" : "no";
  },
  plainRetry: (problem) => (problem === "q4" ? "yes" : "no"),
};

describe("evaluatePolicy", () => {
  test("records every problem and every failure with its controls", async () => {
    const { policy } = partPolicy(start);
    const evaluation = await evaluatePolicy(policy, task, task.list, evaluationOptions);
    expect(evaluation.counts).toEqual({ problems: 5, failures: 4, unscored: 0 });
    expect(evaluation.problems).toEqual([
      { problemId: "q0", first: "solved", second: "solved", passAt2: "solved" },
      { problemId: "q1", first: "failed", second: "solved", passAt2: "failed" },
      { problemId: "q2", first: "failed", second: "solved", passAt2: "failed" },
      { problemId: "q3", first: "failed", second: "failed", passAt2: "solved" },
      { problemId: "q4", first: "failed", second: "failed", passAt2: "failed" },
    ]);
    expect(
      evaluation.failures.map(({ failure, verdict, leaks }) => [failure.id, verdict.kind, leaks]),
    ).toEqual([
      ["q1#0", "solved", false],
      ["q2#0", "solved", true],
      ["q3#0", "failed", false],
      ["q4#0", "failed", false],
    ]);
    expect(evaluation.failures[3]!.controls).toEqual({
      plainRetry: "solved",
      shuffled: "failed",
      filler: "solved",
      secondDraw: "failed",
    });
    expect(evaluation.failures[1]).toMatchObject({
      reflection: { text: "yes", truncated: false },
      retry: { text: "yes" },
      controls: { secondDraw: "failed" },
    });
    expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);
  });

  test("takes the sort of mistake from the feedback where the verifier names none", async () => {
    const { policy } = partPolicy(start);
    const saying = (feedback: string) => ({
      ...task,
      verify: (answer: string) => answer === "yes" || { kind: "failed" as const, feedback },
    });
    const classes = async (feedback: string) => {
      const { problems } = await evaluatePolicy(policy, saying(feedback), task.list, cheap);
      return new Set(problems.map(({ errorClass }) => errorClass));
    };
    expect(await classes("wrong word: no, not yes")).toEqual(new Set([undefined, "wrong word"]));
    expect(await classes("that is wrong")).toEqual(new Set([undefined]));
  });

  test("keeps what the verifier says of a failed first try", async () => {
    const { policy } = partPolicy(start);
    const classifying = {
      ...task,
      verify: (answer: string) =>
        answer === "yes" || {
          kind: "failed" as const,
          feedback: "no",
          errorClass: "not_yes",
          solvedLeniently: false,
        },
    };
    const { problems, failures } = await evaluatePolicy(policy, classifying, task.list, cheap);
    expect(problems.slice(0, 2)).toEqual([
      { problemId: "q0", first: "solved", second: "solved" },
      { problemId: "q1", first: "failed", errorClass: "not_yes", solvedLeniently: false, second: "solved" },
    ]);
    expect(failures[0]!.failure.verdict).toMatchObject({ errorClass: "not_yes" });
  });

  test("samples the starting model's failures once, though they are both fixed and its own", async () => {
    const { policy, requests } = partPolicy(start);
    const evaluation = await evaluatePolicy(policy, task, task.list, cheap);
    // 5 attempts, 4 reflections, 4 retries
    expect(requests()).toHaveLength(13);
    const again = partPolicy(start);
    const fixedFailures = failuresOf(evaluation);
    expect(await evaluatePolicy(again.policy, task, task.list, { ...cheap, fixedFailures })).toEqual(
      evaluation,
    );
    expect(again.requests()).toEqual(requests());
  });

  test("reflects on the fixed failures and, apart from them, on its own", async () => {
    const first = await evaluatePolicy(partPolicy(start).policy, task, task.list, cheap);
    // solves q1 at first, fails q0, and fails q2 in other words: q0 and q2 are its own, q1 … q4 fixed
    const trained = partPolicy({
      attempt: (problem) => (problem === "q1" ? "yes" : problem === "q2" ? "nope" : "no"),
      reflection: (_, attempt) => attempt,
      retry: (_, reflection) => (reflection === "nope" ? "yes" : "no"),
    });
    const fixedFailures = failuresOf(first);
    const evaluation = await evaluatePolicy(trained.policy, task, task.list, { ...cheap, fixedFailures });
    expect(failuresOf(evaluation)).toEqual(fixedFailures);
    expect(evaluation.failures.map(({ verdict }) => verdict.kind)).toEqual(Array(4).fill("failed"));
    expect(evaluation.problems.map(({ second }) => second)).toEqual([
      "failed",
      "solved",
      "solved",
      "failed",
      "failed",
    ]);
    // 5 attempts; 4 fixed failures and 2 of its own (q0, q2), each with a reflection and a retry
    expect(trained.requests()).toHaveLength(5 + 2 * 6);
    expect(summarize(evaluation)["eval/rescue"]).toBe(0);
    expect(summarize(evaluation)["eval/second_try"]).toBe(0.4);
  });

  test("draws by problem and failure alone, whoever is evaluated on whatever else", async () => {
    const seedsOf = async (script: Script, from: number) => {
      const { policy, requests } = partPolicy(script);
      await evaluatePolicy(policy, task, task.list.slice(from), evaluationOptions);
      return requests()
        .filter(({ prompt }) => prompt.startsWith("<U>q4<.>"))
        .map(({ seed }) => seed);
    };
    const seeds = await seedsOf({}, 0);
    // attempt, reflection, retry, second draw, plain retry, shuffled, filler; the retries with reflections share theirs
    expect(seeds).toHaveLength(7);
    expect(new Set(seeds).size).toBe(5);
    expect([seeds[5], seeds[6]]).toEqual([seeds[2], seeds[2]]);
    expect(await seedsOf(start, 2)).toEqual(seeds);
  });

  test("leaves unscored verdicts out of every rate and counts them", async () => {
    const { policy } = partPolicy({
      attempt: (problem) => (problem === "q0" ? "yes" : problem === "q1" ? "throw" : "no"),
      retry: (problem) => (problem === "q2" ? "throw" : problem === "q3" ? "yes" : "no"),
    });
    const evaluation = await evaluatePolicy(policy, task, task.list, cheap);
    expect(evaluation.problems.map(({ second }) => second)).toEqual([
      "solved",
      "unscored",
      "unscored",
      "solved",
      "failed",
    ]);
    expect(evaluation.counts).toEqual({ problems: 5, failures: 3, unscored: 2 });
    expect(summarize(evaluation)).toMatchObject({
      "eval/first_try": 1 / 4,
      "eval/second_try": 2 / 3,
      "eval/rescue": 1 / 2,
      "eval/unscored": 2,
    });
  });

  test("tells progress by stage, and stops at a signal", async () => {
    const stages: string[] = [];
    await evaluatePolicy(partPolicy(start).policy, task, task.list, {
      ...evaluationOptions,
      onProgress: ({ stage, done, total }) => stages.push(`${stage} ${done}/${total}`),
    });
    // each is told of before its first batch is sampled
    const isBeginning = (line: string) => / 0\/\d+$/.test(line);
    expect(stages.map(isBeginning)).toEqual(Array.from({ length: 12 }, (_, i) => i % 2 === 0));
    expect(stages.filter((line) => !isBeginning(line))).toEqual([
      "first tries 5/5",
      "reflections and retries 4/4",
      "second draws 4/4",
      "retries without reflection 4/4",
      "another problem's reflections 4/4",
      "filler instead of reflections 4/4",
    ]);
    const signal = AbortSignal.abort(new Error("enough"));
    const stopped = evaluatePolicy(partPolicy(start).policy, task, task.list, { ...cheap, signal });
    await expect(stopped).rejects.toThrow("enough");
  });
});

describe("summarize", () => {
  test("gives every rate by hand", async () => {
    const evaluation = await evaluatePolicy(partPolicy(start).policy, task, task.list, evaluationOptions);
    expect(summarize(evaluation)).toEqual({
      "eval/first_try": 1 / 5,
      "eval/second_try": 3 / 5,
      "eval/pass_at_2": 2 / 5,
      "eval/rescue": 2 / 4,
      "eval/rescue_no_leak": 1 / 3,
      "eval/rescue_leak": 1,
      "eval/plain_retry": 1 / 4,
      "eval/second_draw": 1 / 4,
      "eval/shuffled": 0,
      "eval/filler": 1 / 4,
      "eval/leak_rate": 1 / 4,
      // "q1", "yes", "q3", "q4" and their end tokens
      "eval/reflection_length": (3 + 4 + 3 + 3) / 4,
      "eval/truncated_rate": 0,
      "eval/unscored": 0,
    });
  });

  test("leaves out what was not sampled or cannot be told", async () => {
    const { leaks: _, ...tongueTied } = task;
    const evaluation = await evaluatePolicy(partPolicy({}).policy, tongueTied, task.list, cheap);
    expect(Object.keys(summarize(evaluation))).toEqual([
      "eval/first_try",
      "eval/second_try",
      "eval/rescue",
      "eval/reflection_length",
      "eval/truncated_rate",
      "eval/unscored",
    ]);
  });
});
