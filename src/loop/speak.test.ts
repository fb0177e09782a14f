import { describe, expect, test } from "vitest";
import { chat, END, encode, scriptedPolicy } from "./fakes.test.kit.ts";
import { speak } from "./speak.ts";

const decoding = { temperature: 0.5, topP: 0.9, topK: 3, maxTokens: 3 };
const turnOf = (content: string, seed = 0) => ({
  problemId: content,
  conversation: chat.start([{ role: "user", content }]),
  seed,
});

describe("speak", () => {
  test("keeps the sampled tokens, the end token too, with their log-probabilities", async () => {
    const { policy, calls } = scriptedPolicy((prompt) => (prompt.includes("b") ? "long" : "ok"));
    const [ended, cut] = await speak(policy, [turnOf("a", 5), turnOf("b", 6)], "attempt", decoding);
    expect(ended!.utterance).toEqual({
      tokens: [...encode("ok"), END],
      logprobs: [-0.125, -0.25, -0.375],
      text: "ok",
      truncated: false,
    });
    expect(cut!.utterance).toMatchObject({ tokens: encode("lon"), text: "lon", truncated: true });
    expect(cut!.conversation.spans.at(-1)).toEqual({ part: "attempt", start: 4, end: 7 });
    expect(calls[0]!.params).toEqual({ ...decoding, stop: [END] });
    expect(calls[0]!.requests.map(({ seed }) => seed)).toEqual([5, 6]);
  });

  test("asks the engine for at most 256 rows at once and keeps their order", async () => {
    const { policy, calls } = scriptedPolicy((_, seed) => String(seed));
    const turns = Array.from({ length: 600 }, (_, seed) => turnOf("a", seed));
    const spoken = await speak(policy, turns, "attempt", decoding);
    expect(calls.map(({ requests }) => requests.length)).toEqual([256, 256, 88]);
    expect(spoken.map(({ utterance }) => Number(utterance.text))).toEqual(turns.map(({ seed }) => seed));
  });

  test("names the problem whose conversation leaves no room, before sampling any", async () => {
    const { policy, calls } = scriptedPolicy(() => "ok", 10);
    // <U> + 7 characters + <.> + <A> fill 10 tokens
    const turns = [turnOf("short"), turnOf("seven c")];
    await expect(speak(policy, turns, "retry", decoding)).rejects.toMatchObject({
      code: "context",
      message:
        'problem "seven c": the conversation before its retry must be shorter than the model\'s context of 10 tokens, got 10',
    });
    expect(calls).toEqual([]);
  });

  test("stops between engine calls when aborted", async () => {
    const controller = new AbortController();
    const { policy, calls } = scriptedPolicy(() => {
      controller.abort();
      return "ok";
    });
    const turns = Array.from({ length: 300 }, () => turnOf("a"));
    await expect(speak(policy, turns, "attempt", decoding, controller.signal)).rejects.toThrow("aborted");
    expect(calls).toHaveLength(1);
  });
});
