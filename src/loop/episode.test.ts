import { describe, expect, test } from "vitest";
import { type EpisodeOptions, reflectAndRetry } from "./episode.ts";
import { failureOf, render, scriptedPolicy, wordTask } from "./fakes.test.kit.ts";
import { rowsOf } from "./verdicts.ts";

const decoding = { temperature: 1, topP: 1, topK: 0, maxTokens: 8 };
const task = wordTask();
const options: EpisodeOptions = {
  rows: rowsOf(task.list),
  numGenerations: 2,
  retriesPerReflection: 1,
  reflectionDecoding: { ...decoding, maxTokens: 4 },
  retryDecoding: decoding,
  seed: 7,
  step: 1,
};
const isRetry = (prompt: string) => prompt.includes("again");

describe("reflectAndRetry", () => {
  test("samples all reflections in one call and all retries in the next", async () => {
    const { policy, calls } = scriptedPolicy((prompt) => (isRetry(prompt) ? "yes" : "hm"));
    await reflectAndRetry(policy, task, [failureOf("q0"), failureOf("q1")], options);
    expect(calls.map(({ requests }) => requests.map(({ prompt }) => render(prompt)))).toEqual([
      [
        "<U>q0<.><A>no<.><U>why<.><A>",
        "<U>q0<.><A>no<.><U>why<.><A>",
        "<U>q1<.><A>no<.><U>why<.><A>",
        "<U>q1<.><A>no<.><U>why<.><A>",
      ],
      [
        "<U>q0<.><A>no<.><U>why<.><A>hm<.><U>again q0<.><A>",
        "<U>q0<.><A>no<.><U>why<.><A>hm<.><U>again q0<.><A>",
        "<U>q1<.><A>no<.><U>why<.><A>hm<.><U>again q1<.><A>",
        "<U>q1<.><A>no<.><U>why<.><A>hm<.><U>again q1<.><A>",
      ],
    ]);
    expect(calls.map(({ params }) => params.maxTokens)).toEqual([4, 8]);
  });

  test("keeps everything before the retry as an exact prefix of its prompt", async () => {
    const { policy, calls } = scriptedPolicy((prompt, seed) => (isRetry(prompt) ? "yes" : `r${seed % 10}`));
    const failure = failureOf("q2");
    const [group] = await reflectAndRetry(policy, task, [failure], options);
    for (const [i, episode] of group!.episodes.entries()) {
      const prompt = calls[1]!.requests[i]!.prompt;
      const asked = calls[0]!.requests[i]!.prompt;
      expect(prompt).toEqual(episode.conversation.tokens);
      expect(prompt.slice(0, failure.conversation.tokens.length)).toEqual(failure.conversation.tokens);
      expect(prompt.slice(0, asked.length)).toEqual(asked);
      expect(prompt.slice(asked.length, asked.length + episode.reflection.tokens.length)).toEqual(
        episode.reflection.tokens,
      );
    }
  });

  test("scores a reflection by its retries, and groups G of them by failure", async () => {
    let retries = 0;
    const answers = ["yes", "no", "no", "no"];
    const { policy } = scriptedPolicy((prompt) => (isRetry(prompt) ? answers[retries++]! : "hm"));
    const [group] = await reflectAndRetry(policy, task, [failureOf("q0")], {
      ...options,
      retriesPerReflection: 2,
    });
    expect(group!.failure.id).toBe("q0#0");
    expect(group!.episodes.map(({ reward }) => reward)).toEqual([0.5, 0]);
    expect(group!.episodes[0]!.retries.map(({ verdict }) => verdict.kind)).toEqual(["solved", "failed"]);
  });

  test("retries also after a reflection that was cut at its limit", async () => {
    const { policy } = scriptedPolicy((prompt) => (isRetry(prompt) ? "yes" : "endless"));
    const [group] = await reflectAndRetry(policy, task, [failureOf("q0")], options);
    const [episode] = group!.episodes;
    expect(episode!.reflection).toMatchObject({ text: "endl", truncated: true });
    expect(render(episode!.conversation.tokens)).toBe("<U>q0<.><A>no<.><U>why<.><A>endl<.><U>again q0<.><A>");
    expect(episode!.reward).toBe(1);
  });

  test("leaves an episode without a scored retry unscored", async () => {
    const { policy } = scriptedPolicy((prompt) => (isRetry(prompt) ? "throw" : "hm"));
    const [group] = await reflectAndRetry(policy, task, [failureOf("q0")], options);
    expect(group!.episodes[0]).toMatchObject({
      reward: null,
      retries: [{ verdict: { kind: "unscored", cause: expect.stringContaining("no such word") } }],
    });
  });

  test("draws every utterance by what it is, not by what is sampled beside it", async () => {
    const seedsOf = async (problemIds: string[], wanted: string) => {
      const { policy, calls } = scriptedPolicy(() => "hm");
      await reflectAndRetry(
        policy,
        task,
        problemIds.map((id) => failureOf(id)),
        options,
      );
      return calls.flatMap(({ requests }) =>
        requests.filter(({ prompt }) => render(prompt).includes(wanted)).map(({ seed }) => seed),
      );
    };
    const alone = await seedsOf(["q1"], "q1");
    expect(await seedsOf(["q2", "q1", "q0"], "q1")).toEqual(alone);
    expect(new Set([...alone, ...(await seedsOf(["q2"], "q2"))]).size).toBe(8);
  });

  test("says which problem is not the task's", async () => {
    const { policy } = scriptedPolicy(() => "hm");
    await expect(reflectAndRetry(policy, task, [failureOf("q9")], options)).rejects.toMatchObject({
      code: "data",
      message: 'failures: each must be of a problem of the task, got problem "q9"',
    });
  });
});
