/**
 * Stage 1 (method.md §1.4): the starting model attempts the problems and its failing attempts are kept. An attempt that
 * could not be scored is neither solved nor a failure.
 */
import type { Failure } from "../core/episode.ts";
import type { Problem, Task } from "../core/task.ts";
import { type Attempt, attemptProblems } from "./attempt.ts";
import type { Decoding, Policy } from "./policy.ts";

export interface Collection {
  failures: Failure[];
  /** Attempts verified, up to the last failure kept, and how many of them were solved or unscored. */
  attempted: number;
  solved: number;
  unscored: number;
}

export interface CollectOptions {
  tries: number;
  decoding: Decoding;
  seed: number;
  maxFailures?: number;
  /** Called after each batch of problems with what was found so far. */
  onProgress?: (collection: Readonly<Collection>) => void;
  signal?: AbortSignal;
}

/** Attempts per batch: one engine call, unless a single problem has more tries. */
const attemptsPerBatch = 256;

/** Attempts the problems in order until all were attempted or `maxFailures` are found. Throws the signal's reason. */
export async function collectFailures(
  policy: Policy,
  task: Task,
  problems: readonly Problem[],
  { tries, decoding, seed, maxFailures = Number.POSITIVE_INFINITY, onProgress, signal }: CollectOptions,
): Promise<Collection> {
  const collection: Collection = { failures: [], attempted: 0, solved: 0, unscored: 0 };
  const problemsPerBatch = Math.max(1, Math.floor(attemptsPerBatch / tries));
  for (let start = 0; start < problems.length; start += problemsPerBatch) {
    const batch = problems.slice(start, start + problemsPerBatch);
    const attempts = await attemptProblems(policy, task, batch, { tries, decoding, seed, step: 0, signal });
    for (const attempt of attempts) {
      collection.attempted++;
      if (attempt.verdict.kind === "failed") collection.failures.push(failureFromAttempt(attempt));
      else collection[attempt.verdict.kind]++;
      if (collection.failures.length >= maxFailures) break;
    }
    onProgress?.(collection);
    if (collection.failures.length >= maxFailures) break;
  }
  return collection;
}

/** The failed attempt as an item of the training set. */
export function failureFromAttempt({
  problemId,
  generation,
  conversation,
  utterance,
  verdict,
}: Attempt): Failure {
  return { id: `${problemId}#${generation}`, problemId, conversation, attempt: utterance, verdict };
}
