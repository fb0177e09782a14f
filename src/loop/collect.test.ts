import { describe, expect, test } from "vitest";
import type { Outcome } from "../core/episode.ts";
import { collectFailures } from "./collect.ts";
import { render, scriptedPolicy, wordTask } from "./fakes.test.kit.ts";

const decoding = { temperature: 1, topP: 1, topK: 0, maxTokens: 8 };
const options = { tries: 2, decoding, seed: 3 };

describe("collectFailures", () => {
  test("keeps failing attempts with their tokens and counts the others", async () => {
    const task = wordTask(3);
    const { policy, calls } = scriptedPolicy((prompt, seed) => {
      if (prompt.includes("q0")) return "yes";
      if (prompt.includes("q1")) return "throw";
      return `n${seed % 10}`;
    });
    const { failures, outcomes } = await collectFailures(policy, task, task.list, options);
    const kinds = outcomes.map(({ verdict }) => verdict.kind);
    expect(kinds).toEqual(["solved", "solved", "unscored", "unscored", "failed", "failed"]);
    expect(failures.map(({ id }) => id)).toEqual(["q2#0", "q2#1"]);
    expect(failures[0]!.verdict).toEqual({ kind: "failed", feedback: "" });
    expect(render(failures[0]!.conversation.tokens)).toBe(`<U>q2<.><A>${failures[0]!.attempt.text}<.>`);
    expect(calls).toHaveLength(1);
    expect(new Set(calls[0]!.requests.map(({ seed }) => seed)).size).toBe(6);
  });

  test("stops at maxFailures without sampling one attempt too many, and reports progress by engine call", async () => {
    const task = wordTask(400);
    const { policy, calls } = scriptedPolicy((_, seed) => `n${seed}`);
    const reports: unknown[] = [];
    const { failures } = await collectFailures(policy, task, task.list, {
      ...options,
      maxFailures: 300,
      onBatch: (batch, progress) => void reports.push([batch.length, progress]),
    });
    expect(failures).toHaveLength(300);
    expect(reports).toEqual([
      [256, { attempted: 256, failures: 256, settled: 256 }],
      [44, { attempted: 300, failures: 300, settled: 800 }],
    ]);
    expect(calls.map(({ requests }) => requests.length)).toEqual([256, 44]);
  });

  test("samples a finished problem no more, and an unfinished one only as often as it may still need", async () => {
    const task = wordTask(3);
    // q0 always fails, q1 never, q2 every second time
    const { policy, calls } = scriptedPolicy((prompt, seed) =>
      prompt.includes("q1") || (prompt.includes("q2") && seed % 2 === 0) ? "yes" : `n${seed}`,
    );
    const limits = { tries: 8, maxFailuresPerProblem: 2 };
    const { failures, outcomes } = await collectFailures(policy, task, task.list, { ...options, ...limits });
    const made = (id: string) => outcomes.filter(({ problemId }) => problemId === id);
    expect(failures.filter(({ problemId }) => problemId === "q0").map(({ id }) => id)).toEqual([
      "q0#0",
      "q0#1",
    ]);
    expect([made("q0").length, made("q1").length]).toEqual([2, 8]);
    const last = made("q2").at(-1)!;
    expect(failures.filter(({ problemId }) => problemId === "q2")).toHaveLength(2);
    expect(last.verdict.kind).toBe("failed"); // it ended with what finished it
    expect(calls[0]!.requests).toHaveLength(6); // two each: none of them can be one too many
  });

  test("keeps the same failed attempt of a problem once and counts it", async () => {
    const task = wordTask(2);
    const { policy } = scriptedPolicy((prompt, seed) => (prompt.includes("q0") ? "no" : `n${seed}`));
    const { failures, outcomes } = await collectFailures(policy, task, task.list, { ...options, tries: 3 });
    expect(failures.map(({ id, count }) => [id, count])).toEqual([
      ["q0#0", 3],
      ["q1#0", undefined],
      ["q1#1", undefined],
      ["q1#2", undefined],
    ]);
    expect(outcomes.map(({ duplicateOf }) => duplicateOf).slice(0, 3)).toEqual([undefined, "q0#0", "q0#0"]);
  });

  test("draws an attempt by seed, step, problem and try, whatever was stopped early beside it", async () => {
    const task = wordTask(3);
    const textsOf = async (limits: Partial<Parameters<typeof collectFailures>[3]>) => {
      const { policy } = scriptedPolicy((_, seed) => (seed % 3 === 0 ? "yes" : `n${seed}`));
      const { failures } = await collectFailures(policy, task, task.list, {
        ...options,
        tries: 12,
        ...limits,
      });
      return new Map(failures.map(({ id, attempt }) => [id, attempt.text]));
    };
    const all = await textsOf({});
    const few = await textsOf({ maxFailuresPerProblem: 2, maxFailures: 5 });
    expect(few.size).toBe(5);
    for (const [id, text] of few) expect(all.get(id)).toBe(text);
    const later = await textsOf({ step: 7 });
    expect([...later.keys()].every((id) => /^q\d#\d+@7$/.test(id))).toBe(true);
    expect([...later.values()]).not.toEqual([...all.values()]);
  });

  test("replays what was recorded and goes on from there, wherever it stopped", async () => {
    const task = wordTask(150);
    const script = (_: string, seed: number) => (seed % 4 === 0 ? "yes" : `n${seed % 3}`);
    const limits = { ...options, tries: 5, maxFailuresPerProblem: 2 };
    const batches: (readonly Outcome[])[] = [];
    const whole = await collectFailures(scriptedPolicy(script).policy, task, task.list, {
      ...limits,
      onBatch: (batch) => void batches.push(batch),
    });
    expect(batches.length).toBeGreaterThan(3);
    for (let done = 0; done <= batches.length; done++) {
      const { policy, calls } = scriptedPolicy(script);
      const recorded = JSON.parse(JSON.stringify(batches.slice(0, done).flat()));
      expect(await collectFailures(policy, task, task.list, { ...limits, recorded })).toEqual(whole);
      expect(calls).toHaveLength(batches.length - done);
    }
  });

  test("names recorded attempts that are not of these problems", async () => {
    const task = wordTask(3);
    const { policy } = scriptedPolicy(() => "no");
    const { outcomes: recorded } = await collectFailures(policy, task, task.list, options);
    const others = task.list.slice(1);
    await expect(collectFailures(policy, task, others, { ...options, recorded })).rejects.toMatchObject({
      code: "data",
      message: expect.stringContaining('got try 0 of problem "q0" for try 0 of "q1"'),
    });
  });

  test("verifies one engine call while the next is sampled", async () => {
    const task = wordTask(600);
    const { policy, calls } = scriptedPolicy(() => "no");
    const callsWhenVerified: number[] = [];
    const verify = async () => {
      await new Promise((done) => setTimeout(done, 1));
      callsWhenVerified.push(calls.length);
      return false;
    };
    await collectFailures(policy, { ...task, verify }, task.list, { ...options, tries: 1 });
    // 600 attempts are three calls: while the first is verified the second has begun
    expect([callsWhenVerified[0], callsWhenVerified[256], callsWhenVerified[599]]).toEqual([2, 3, 3]);
  });

  test("gives a problem the same seeds whatever is collected beside it", async () => {
    const task = wordTask(5);
    const seeds = async (from: number) => {
      const { policy, calls } = scriptedPolicy(() => "no");
      await collectFailures(policy, task, task.list.slice(from), options);
      return calls[0]!.requests.slice(-2).map(({ seed }) => seed);
    };
    expect(await seeds(4)).toEqual(await seeds(0));
  });

  test("stops a run whose verifier leaves more than 20 % unscored, quoting the first cause", async () => {
    const task = wordTask(10);
    const failing = (count: number) => {
      let answers = 0;
      return scriptedPolicy(() => (answers++ < count ? "throw" : "no")).policy;
    };
    // 20 answers: 4 unscored are 20 % and pass, 5 do not
    const { outcomes } = await collectFailures(failing(4), task, task.list, options);
    expect(outcomes.filter(({ verdict }) => verdict.kind === "unscored")).toHaveLength(4);
    await expect(collectFailures(failing(5), task, task.list, options)).rejects.toMatchObject({
      code: "task",
      message: expect.stringMatching(
        /left 5 of the first \d+; for example:\n {2}problem "q0", answer "throw": .*no such word/,
      ),
    });
  });
});

test("an attempt is offered its row's tools", async () => {
  const { policy } = scriptedPolicy(() => "yes");
  const tools = [{ type: "function" as const, function: { name: "f" } }];
  const offered: unknown[] = [];
  const start: typeof policy.chat.start = (messages, given) => {
    offered.push(given);
    return policy.chat.start(messages);
  };
  const task = {
    ...wordTask(2),
    tools: (row: unknown) => ((row as { question: string }).question === "q0" ? tools : []),
  };
  await collectFailures({ ...policy, chat: { ...policy.chat, start } }, task, task.list, {
    ...options,
    tries: 1,
  });
  expect(offered).toEqual([tools, []]);
});
