import { describe, expect, test } from "vitest";
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
    const { failures, ...counts } = await collectFailures(policy, task, task.list, options);
    expect(counts).toEqual({ attempted: 6, solved: 2, unscored: 2 });
    expect(failures.map(({ id }) => id)).toEqual(["q2#0", "q2#1"]);
    expect(failures[0]!.verdict).toEqual({ kind: "failed", feedback: "" });
    expect(render(failures[0]!.conversation.tokens)).toBe(`<U>q2<.><A>${failures[0]!.attempt.text}<.>`);
    expect(calls).toHaveLength(1);
    expect(new Set(calls[0]!.requests.map(({ seed }) => seed)).size).toBe(6);
  });

  test("stops at maxFailures and reports progress by batch", async () => {
    const task = wordTask(400);
    const { policy, calls } = scriptedPolicy(() => "no");
    const attempted: number[] = [];
    const { failures } = await collectFailures(policy, task, task.list, {
      ...options,
      maxFailures: 300,
      onProgress: (collection) => attempted.push(collection.attempted),
    });
    expect(failures).toHaveLength(300);
    expect(attempted).toEqual([256, 300]);
    expect(calls).toHaveLength(2);
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
    const { unscored } = await collectFailures(failing(4), task, task.list, options);
    expect(unscored).toBe(4);
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
