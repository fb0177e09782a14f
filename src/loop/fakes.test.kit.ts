/**
 * For tests: a chat whose tokens are character codes, an engine that says what a script tells it, and a task whose
 * answers are words. Small enough that every expected token can be written down.
 */
import type { Failure } from "../core/episode.ts";
import type { Problem, Task, VerifierAnswer } from "../core/task.ts";
import type { EngineInfo, Sample, SampleRequest, SamplingParams } from "../engine/contract.ts";
import { createConversation, extendConversation } from "../text/conversation.ts";
import type { Policy } from "./policy.ts";

export { createConversation, extendConversation };

/** Special tokens; in `render`ed text they are ".", "U" and "A" in angle brackets. */
export const END = 1;
export const USER = 2;
export const ASSISTANT = 3;

export const encode = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** Tokens as readable text, special tokens included: `<U>q0<.><A>`. */
export const render = (tokens: Iterable<number>): string =>
  Array.from(tokens, (t) => ["", "<.>", "<U>", "<A>"][t] ?? String.fromCharCode(t)).join("");

export const chat: Policy["chat"] = {
  stopTokens: [END],
  start: (messages) =>
    createConversation([...messages.flatMap((m) => [USER, ...encode(m.content), END]), ASSISTANT]),
  appendSampled: extendConversation,
  appendTurn: (conversation, part, content) => {
    const close = conversation.tokens.at(-1) === END ? [] : [END];
    return extendConversation(conversation, part, [...close, USER, ...encode(content), END, ASSISTANT]);
  },
  decode: (tokens) => String.fromCharCode(...Array.from(tokens).filter((token) => token > ASSISTANT)),
};

export interface SampleCall {
  requests: readonly SampleRequest[];
  params: SamplingParams;
}

/** Answers each request with `script(rendered prompt, seed)`; keeps every call. The logprob of token t is -(t + 1) / 8. */
export function scriptedPolicy(script: (prompt: string, seed: number) => string, contextLength = 200) {
  const calls: SampleCall[] = [];
  const info: EngineInfo = {
    name: "scripted",
    vocabSize: 128,
    contextLength,
    parameters: 0,
    threads: 1,
    capabilities: { temperature: true, kl: ["k1", "k2", "k3"] },
  };
  const engine = {
    info,
    async sample(requests: readonly SampleRequest[], params: SamplingParams): Promise<Sample[]> {
      calls.push({ requests, params });
      return requests.map(({ prompt, seed }) => {
        const full = [...encode(script(render(prompt), seed)), END];
        const tokens = Int32Array.from(full.slice(0, params.maxTokens));
        const stopReason = full.length > params.maxTokens ? "length" : "stop";
        return { tokens, logprobs: Float32Array.from(tokens, (_, t) => -(t + 1) / 8), stopReason };
      });
    },
  };
  return { policy: { engine, chat }, calls };
}

/** Problems q0, q1, … are solved by the answer "yes"; "throw" makes the verifier throw. */
export function wordTask(count = 3): Task & { list: Problem[] } {
  const list = Array.from({ length: count }, (_, i) => ({ id: `q${i}`, row: { question: `q${i}` } }));
  const question = (row: unknown) => (row as { question: string }).question;
  return {
    name: "words",
    list,
    problems: async () => list,
    prompt: (row) => [{ role: "user", content: question(row) }],
    reflectionPrompt: () => "why",
    retryPrompt: (row) => `again ${question(row)}`,
    plainRetryPrompt: (row) => `wrong ${question(row)}`,
    leaks: (reflection) => reflection.includes("yes"),
    verify(answer): VerifierAnswer {
      if (answer === "throw") throw new Error("no such word");
      return answer === "yes";
    },
  };
}

/** A failed attempt at a problem of the word task. */
export function failureOf(problemId: string, attempt = "no"): Failure {
  const tokens = [...encode(attempt), END];
  const prompt = chat.start([{ role: "user", content: problemId }]);
  return {
    id: `${problemId}#0`,
    problemId,
    conversation: chat.appendSampled(prompt, "attempt", tokens),
    attempt: { tokens, logprobs: tokens.map(() => -1), text: attempt, truncated: false },
    verdict: { kind: "failed", feedback: "" },
  };
}
