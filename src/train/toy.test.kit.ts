/**
 * For tests: a world of six tokens in which one reflection decides. A retry succeeds nearly always after the
 * reflection GOOD and nearly never otherwise; untrained, all reflections are equally likely.
 */
import type { Failure } from "../core/episode.ts";
import type { Task } from "../core/task.ts";
import { createConversation, extendConversation } from "../loop/fakes.test.kit.ts";
import type { Policy } from "../loop/policy.ts";
import { MulliganConfig } from "./config.ts";
import { createSoftmaxTable, type SoftmaxTable } from "./softmax-table.test.kit.ts";

export const TOY = { end: 0, turn: 1, good: 2, bad: 3, right: 4, wrong: 5 } as const;
const problemToken = (id: string) => 10 + Number(id.slice(1));

/** Every sampled turn is one token; prompts are one token, the problem's number or the turn mark. */
export const toyChat: Policy["chat"] = {
  stopTokens: [TOY.end],
  start: ([message]) => createConversation([problemToken(message!.content)]),
  appendSampled: extendConversation,
  appendTurn: (conversation, part) => extendConversation(conversation, part, [TOY.turn]),
  decode: (tokens) => Array.from(tokens).join(" "),
};

export function toyTask(count: number): Task {
  return {
    name: "toy",
    problems: async () => Array.from({ length: count }, (_, i) => ({ id: `p${i}`, row: `p${i}` })),
    prompt: (row) => [{ role: "user", content: String(row) }],
    reflectionPrompt: () => "",
    retryPrompt: () => "",
    plainRetryPrompt: () => "",
    verify: (answer) => answer === String(TOY.right),
  };
}

export function toyFailures(count: number): Failure[] {
  return Array.from({ length: count }, (_, i) => {
    const problemId = `p${i}`;
    const prompt = toyChat.start([{ role: "user", content: problemId }]);
    const attempt = { tokens: [TOY.wrong], logprobs: [0], text: "5", truncated: false };
    const conversation = toyChat.appendSampled(prompt, "attempt", attempt.tokens);
    return {
      id: `${problemId}#0`,
      problemId,
      conversation,
      attempt,
      verdict: { kind: "failed", feedback: "" },
    };
  });
}

/** Prefixes: [problem, attempt, turn] before the reflection, [problem, attempt, turn, reflection, turn] before the retry. */
export function toyEngine(): SoftmaxTable {
  return createSoftmaxTable(6, (prefix) => {
    const logits = [0, 0, 0, 0, 0, 0];
    if (prefix.length === 5) logits[prefix[3] === TOY.good ? TOY.right : TOY.wrong] = 6;
    return logits;
  });
}

export function toyConfig(overrides: Partial<MulliganConfig> = {}): MulliganConfig {
  return MulliganConfig.parse({
    maxSteps: 4,
    failuresPerStep: 2,
    numGenerations: 4,
    maxAttemptLength: 1,
    maxCompletionLength: 1,
    learningRate: 0.1,
    ...overrides,
  });
}

/** A setup for `train`, on a fresh engine. */
export function toySetup(overrides: Partial<MulliganConfig> = {}, count = 4) {
  const engine = toyEngine();
  return {
    engine,
    policy: { engine, chat: toyChat },
    task: toyTask(count),
    failures: toyFailures(count),
    config: toyConfig(overrides),
  };
}
