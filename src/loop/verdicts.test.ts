import { expect, test } from "vitest";
import type { VerifierAnswer } from "../core/task.ts";
import { chat, scriptedPolicy, wordTask } from "./fakes.test.kit.ts";
import { rowsOf, speakAndVerify } from "./verdicts.ts";

const decoding = { temperature: 1, topP: 1, topK: 0, maxTokens: 8 };

/** Two engine calls of turns whose every third answer is right. */
function setUp() {
  const task = wordTask(300);
  const turns = task.list.map(({ id }, seed) => ({
    problemId: id,
    conversation: chat.start([{ role: "user", content: id }]),
    seed,
  }));
  const { policy } = scriptedPolicy((_, seed) => (seed % 3 === 0 ? "yes" : "no"));
  return { task, turns, policy, rows: rowsOf(task.list) };
}

test("answers of one engine call are verified while the next one is under way", async () => {
  const { task, turns, policy, rows } = setUp();
  const events: string[] = [];
  const { sample } = policy.engine;
  policy.engine.sample = async (requests, params) => {
    events.push(`asked for ${requests.length}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    events.push(`got ${requests.length}`);
    return sample(requests, params);
  };
  const watched = {
    ...task,
    verify: (answer: string, row: unknown) => {
      if (!events.at(-1)!.startsWith("verified")) events.push("verified");
      return task.verify(answer, row);
    },
  };
  const { spoken, verdicts } = await speakAndVerify(policy, watched, turns, {
    rows,
    part: "attempt",
    decoding,
  });
  expect(events).toEqual([...["asked for 256", "got 256", "asked for 44", "verified", "got 44", "verified"]]);
  expect(spoken.map(({ utterance }) => utterance.text)).toEqual(
    turns.map((_, i) => (i % 3 === 0 ? "yes" : "no")),
  );
  expect(verdicts.map(({ kind }) => kind)).toEqual(turns.map((_, i) => (i % 3 === 0 ? "solved" : "failed")));
});

test("a problem that the task does not have is named before anything is sampled", async () => {
  const { task, turns, policy } = setUp();
  let calls = 0;
  policy.engine.sample = async () => {
    calls++;
    return [];
  };
  const rows = rowsOf(task.list.slice(0, 299));
  const asked = speakAndVerify(policy, task, turns, { rows, part: "retry", decoding });
  await expect(asked).rejects.toMatchObject({ code: "data", message: expect.stringContaining('"q299"') });
  expect(calls).toBe(0);
});

test("a run stops as soon as too many are unscored, without waiting for the rest, and shows three", async () => {
  const { turns, policy, rows } = setUp();
  let verified = 0;
  const task = {
    ...wordTask(300),
    bounds: { timeoutMs: Number.POSITIVE_INFINITY, maxUnscoredFraction: 0.1 },
    verify: async (): Promise<VerifierAnswer> => {
      // 30 of 300 may be unscored; after the 31st nothing is waited for any more
      if (++verified <= 31) return { kind: "unscored", cause: `hung ${verified}` };
      return new Promise(() => {});
    },
  };
  await expect(
    speakAndVerify(policy, task, turns, { rows, part: "attempt", decoding }),
  ).rejects.toMatchObject({
    code: "task",
    message: [
      'task "words": verify may leave at most 10 % of the answers unscored, left 31 of the first 31; for example:',
      '  problem "q0", answer "yes": hung 1',
      '  problem "q1", answer "no": hung 2',
      '  problem "q2", answer "no": hung 3',
    ].join("\n"),
    hint: expect.stringMatching(/mulligan check-task/),
  });
});

test("of fewer than 20 answers any number may be unscored, but not all of four or more", async () => {
  const { turns, policy, rows } = setUp();
  const verify = (count: number, unscored: number) => {
    let verified = 0;
    const task = { ...wordTask(300), verify: () => (verified++ < unscored ? null : true) };
    const options = { rows, part: "attempt", decoding } as const;
    return speakAndVerify(policy, task, turns.slice(0, count), options);
  };
  for (const [count, unscored] of [
    [19, 18],
    [3, 3],
  ] as const) {
    const { verdicts } = await verify(count, unscored);
    expect(verdicts.filter(({ kind }) => kind === "unscored")).toHaveLength(unscored);
  }
  await expect(verify(4, 4)).rejects.toThrow("left 4 of the first 4");
});
