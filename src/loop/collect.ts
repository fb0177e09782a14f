/**
 * Stage 1 (method.md §1.4): the model attempts the problems and its distinct failing attempts are kept. An attempt that
 * could not be scored is neither solved nor a failure. What was recorded of an earlier, stopped collection is replayed.
 */
import type { Failure, Outcome } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Problem, Task } from "../core/task.ts";
import { attemptInCalls, type Try } from "./attempt.ts";
import type { Decoding, Policy } from "./policy.ts";
import { createRounds, type Limits } from "./rounds.ts";

export interface Collection {
  /** Distinct ones, by problem and try. */
  failures: Failure[];
  /** Every attempt, in the order in which they were made. */
  outcomes: Outcome[];
}

export interface CollectProgress {
  /** Attempts made. */
  attempted: number;
  failures: number;
  /** Attempts made or no longer needed, of problems × tries. */
  settled: number;
}

export interface CollectOptions extends Pick<Limits, "tries">, Partial<Omit<Limits, "tries">> {
  decoding: Decoding;
  seed: number;
  /** Training step; default 0, before training. */
  step?: number;
  /** Outcomes that `onBatch` was given before the collection was stopped, in order: they are not sampled again. */
  recorded?: readonly Outcome[];
  /** Called after each engine call with what it gave; what it returns is awaited. */
  onBatch?: (batch: readonly Outcome[], progress: CollectProgress) => void | Promise<void>;
  signal?: AbortSignal | undefined;
}

/**
 * Attempts the problems in rounds until each has had its tries or its failures, or `maxFailures` are kept. A draw is a
 * function of seed, step, problem and try alone. Throws the signal's reason, and `MulliganError("data")` when what was
 * recorded is not of these problems.
 */
export async function collectFailures(
  policy: Policy,
  task: Task,
  problems: readonly Problem[],
  { recorded = [], onBatch, step = 0, decoding, seed, signal, ...limits }: CollectOptions,
): Promise<Collection> {
  const none = Number.POSITIVE_INFINITY;
  const rounds = createRounds(problems, { maxFailuresPerProblem: none, maxFailures: none, ...limits });
  const outcomes: Outcome[] = [];
  const record = (outcome: Outcome) => {
    rounds.record(outcome);
    outcomes.push(outcome);
  };
  for (let round = rounds.next(); round.length > 0; round = rounds.next()) {
    const known = recorded.slice(outcomes.length, outcomes.length + round.length);
    known.forEach((outcome, i) => {
      requireSameTry(outcome, round[i]!);
      record(outcome);
    });
    const rest = round.slice(known.length);
    for await (const attempts of attemptInCalls(policy, task, rest, { decoding, seed, step, signal })) {
      const batch: Outcome[] = [];
      for (const attempt of attempts) {
        const outcome = rounds.outcomeOf(attempt, step);
        record(outcome);
        batch.push(outcome);
      }
      const [attempted, failures, settled] = [outcomes.length, rounds.kept(), rounds.settled()];
      await onBatch?.(batch, { attempted, failures, settled });
    }
  }
  return { failures: rounds.failures(), outcomes };
}

function requireSameTry({ problemId, generation }: Outcome, { problem, generation: expected }: Try): void {
  if (problemId === problem.id && generation === expected) return;
  throw new MulliganError(
    "data",
    `recorded attempts: must be those that these settings ask for, got try ${generation} of problem "${problemId}" for try ${expected} of "${problem.id}"`,
    { hint: "the task's rows have changed since: collect from the start, with --clean" },
  );
}
