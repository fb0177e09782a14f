import { describe, expect, test } from "vitest";
import { END, encode, failureOf, render, scriptedPolicy, wordTask } from "./fakes.test.kit.ts";
import { insertReflection, reflect } from "./reflection.ts";
import { meanSolved, plainRetry, retryAfterReflection } from "./retry.ts";
import { rowsOf } from "./verdicts.ts";

const decoding = { temperature: 1, topP: 1, topK: 0, maxTokens: 8 };
const task = wordTask();
const rows = rowsOf(task.list);
const options = { rows, retries: 1, decoding, seed: 7, step: 0 };
const filler = { tokens: [...encode("....")], logprobs: [0, 0, 0, 0], text: "....", truncated: true };

describe("the controls", () => {
  test("a plain retry puts the task again without a reflection", async () => {
    const { policy, calls } = scriptedPolicy(() => "yes");
    const [outcome] = await plainRetry(policy, task, [failureOf("q0")], { ...options, retries: 2 });
    expect(calls[0]!.requests.map(({ prompt }) => render(prompt))).toEqual([
      "<U>q0<.><A>no<.><U>wrong q0<.><A>",
      "<U>q0<.><A>no<.><U>wrong q0<.><A>",
    ]);
    expect(outcome).toMatchObject({ failure: { id: "q0#0" }, reward: 1 });
  });

  test("an inserted reflection stands where the model's own would", async () => {
    const { policy, calls } = scriptedPolicy(() => "yes");
    const inserted = insertReflection(policy, task, failureOf("q1"), filler, { rows });
    const [episode] = await retryAfterReflection(policy, task, [inserted], options);
    expect(render(calls[0]!.requests[0]!.prompt)).toBe(
      "<U>q1<.><A>no<.><U>why<.><A>....<.><U>again q1<.><A>",
    );
    expect(episode).toMatchObject({ failureId: "q1#0", reflection: filler, reward: 1 });
  });

  test("a retry draws the same numbers after its own reflection and after an inserted one", async () => {
    const { policy, calls } = scriptedPolicy((prompt) => (prompt.includes("again") ? "no" : "hm"));
    const failure = failureOf("q1");
    const own = await reflect(policy, task, [failure], { ...options, numGenerations: 1 });
    await retryAfterReflection(policy, task, own, options);
    const inserted = insertReflection(policy, task, failure, filler, { rows });
    await retryAfterReflection(policy, task, [inserted], options);
    expect(calls[2]!.requests[0]!.seed).toBe(calls[1]!.requests[0]!.seed);
    expect(calls[0]!.requests[0]!.seed).not.toBe(calls[1]!.requests[0]!.seed);
    expect(own[0]!.conversation.tokens.at(-1)).toBe(END);
  });
});

test("a reward is the mean over scored verdicts, null when there is none", () => {
  const solved = { kind: "solved" } as const;
  const failed = { kind: "failed", feedback: "" } as const;
  const unscored = { kind: "unscored", cause: "" } as const;
  expect(meanSolved([solved, failed, failed, unscored])).toBe(1 / 3);
  expect(meanSolved([unscored])).toBeNull();
});
