import { expect, test } from "vitest";
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
