/** What everything that samples during training is given, and the decoding of each kind of turn. */
import type { Task } from "../core/task.ts";
import type { Decoding, Policy } from "../loop/policy.ts";
import type { Rows } from "../loop/verdicts.ts";
import type { MulliganConfig } from "./config.ts";

export interface SourceSetup {
  policy: Policy;
  task: Task;
  config: MulliganConfig;
  rows: Rows;
}

/** Training's decoding of attempts and retries. */
export function attemptDecoding({ temperature, topP, topK, maxAttemptLength }: MulliganConfig): Decoding {
  return { temperature, topP, topK, maxTokens: maxAttemptLength };
}

/** Training's decoding of reflections. */
export function reflectionDecoding({
  temperature,
  topP,
  topK,
  maxCompletionLength,
}: MulliganConfig): Decoding {
  return { temperature, topP, topK, maxTokens: maxCompletionLength };
}

/** Decoding of evaluated turns. */
export function evaluationDecoding({
  eval: { temperature },
  maxAttemptLength,
  maxCompletionLength,
}: MulliganConfig) {
  const attempt = { temperature, topP: 1, topK: 0, maxTokens: maxAttemptLength };
  return { attempt, reflection: { ...attempt, maxTokens: maxCompletionLength }, retry: attempt };
}
