/**
 * Retries and their verdicts, after a reflection or without one. A retry only scores the reflection before it: several
 * retries branch from the same conversation and never see each other.
 */
import type { Conversation, Episode, Failure } from "../core/episode.ts";
import type { Task, Verdict } from "../core/task.ts";
import type { Decoding, Policy } from "./policy.ts";
import type { Reflection } from "./reflection.ts";
import { streams, utteranceSeed } from "./streams.ts";
import { type Rows, rowOf, speakAndVerify } from "./verdicts.ts";

export interface RetryOptions {
  rows: Rows;
  /** Retries after each reflection (K), or of each failure without one. */
  retries: number;
  decoding: Decoding;
  seed: number;
  step: number;
  signal?: AbortSignal;
}

/** The failure put again without asking for a reflection (method.md §9.3, B2). */
export type PlainRetry = Pick<Episode, "conversation" | "retries" | "reward"> & { failure: Failure };

/** Puts the task again after each reflection: one episode per reflection, in order. */
export async function retryAfterReflection(
  policy: Policy,
  task: Task,
  reflections: readonly Reflection[],
  options: RetryOptions,
): Promise<Episode[]> {
  const openings = reflections.map(({ failure, generation, conversation }) => {
    const prompt = task.retryPrompt(rowOf(options.rows, failure.problemId));
    return {
      failure,
      generation,
      conversation: policy.chat.appendTurn(conversation, "retry-prompt", prompt),
    };
  });
  const outcomes = await retry(policy, task, openings, streams.retry, options);
  return outcomes.map((outcome, i) => {
    const { failure, reflection } = reflections[i]!;
    const { id: failureId, problemId, attempt } = failure;
    return { failureId, problemId, attempt, reflection, ...outcome };
  });
}

/** Tells the model that it failed and puts the task again: the control without a reflection. */
export async function plainRetry(
  policy: Policy,
  task: Task,
  failures: readonly Failure[],
  options: RetryOptions,
): Promise<PlainRetry[]> {
  const openings = failures.map((failure) => {
    const prompt = task.plainRetryPrompt(rowOf(options.rows, failure.problemId));
    const conversation = policy.chat.appendTurn(failure.conversation, "retry-prompt", prompt);
    return { failure, generation: 0, conversation };
  });
  const outcomes = await retry(policy, task, openings, streams.plainRetry, options);
  return outcomes.map((outcome, i) => ({ failure: failures[i]!, ...outcome }));
}

/** Mean of 1 (solved) and 0 (failed) over scored verdicts, or null when none was scored. */
export function meanSolved(verdicts: readonly Verdict[]): number | null {
  const scored = verdicts.filter(({ kind }) => kind !== "unscored");
  if (scored.length === 0) return null;
  return scored.filter(({ kind }) => kind === "solved").length / scored.length;
}

interface Opening {
  failure: Failure;
  generation: number;
  conversation: Conversation;
}

async function retry(
  policy: Policy,
  task: Task,
  openings: readonly Opening[],
  stream: typeof streams.retry | typeof streams.plainRetry,
  { rows, retries, decoding, seed, step, signal }: RetryOptions,
): Promise<Pick<Episode, "conversation" | "retries" | "reward">[]> {
  const turns = openings.flatMap(({ failure, generation, conversation }) =>
    Array.from({ length: retries }, (_, turn) => ({
      problemId: failure.problemId,
      conversation,
      seed: utteranceSeed(seed, stream, step, failure.id, generation, turn),
    })),
  );
  const { spoken, verdicts } = await speakAndVerify(policy, task, turns, {
    rows,
    part: "retry",
    decoding,
    signal,
  });
  return openings.map(({ conversation }, i) => {
    const own = verdicts.slice(i * retries, (i + 1) * retries);
    return {
      conversation,
      retries: own.map((verdict, k) => ({ utterance: spoken[i * retries + k]!.utterance, verdict })),
      reward: meanSolved(own),
    };
  });
}
