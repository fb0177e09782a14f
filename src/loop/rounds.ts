/**
 * Whose turn it is while failures are collected. A round holds attempts of which none can turn out to be one too many,
 * whatever their verdicts: so it may be sampled side by side, and stopping early wastes nothing. Pure bookkeeping.
 */
import type { Failure, Outcome, Utterance } from "../core/episode.ts";
import type { Problem } from "../core/task.ts";
import { type Attempt, failureFromAttempt, type Try } from "./attempt.ts";

export interface Limits {
  /** Most attempts of one problem. */
  tries: number;
  /** A problem is finished once so many distinct failures of it are kept. */
  maxFailuresPerProblem: number;
  /** Nothing more is attempted once so many distinct failures are kept in all. */
  maxFailures: number;
}

interface Standing {
  problem: Problem;
  tries: number;
  /** By tokens. */
  failures: Map<string, { failure: Failure; count: number }>;
}

export interface Rounds {
  /** The next attempts; empty when all is done. */
  next(): Try[];
  /** What an attempt is, seen beside those recorded so far. `step`: as in Failure.id. */
  outcomeOf(attempt: Attempt, step: number): Outcome;
  record(outcome: Outcome): void;
  /** Kept failures, by problem and try. */
  failures(): Failure[];
  kept(): number;
  /** Attempts that were made or that a finished problem no longer needs. */
  settled(): number;
}

export function createRounds(problems: readonly Problem[], limits: Limits): Rounds {
  const { tries, maxFailuresPerProblem, maxFailures } = limits;
  const standings = new Map<string, Standing>(
    problems.map((problem) => [problem.id, { problem, tries: 0, failures: new Map() }]),
  );
  let kept = 0;
  const openTries = (standing: Standing) =>
    Math.min(tries - standing.tries, maxFailuresPerProblem - standing.failures.size);

  return {
    next() {
      const round: Try[] = [];
      // those that were tried least first: what an earlier round had no room for
      const order = [...standings.values()].sort((a, b) => a.tries - b.tries);
      for (const standing of order) {
        const count = Math.min(openTries(standing), maxFailures - kept - round.length);
        for (let i = 0; i < count; i++) {
          round.push({ problem: standing.problem, generation: standing.tries + i });
        }
      }
      return round;
    },
    outcomeOf(attempt, step) {
      const { problemId, generation, verdict, utterance } = attempt;
      const { tokens, truncated } = utterance;
      const outcome = { problemId, generation, verdict, length: tokens.length, truncated };
      if (verdict.kind !== "failed") return outcome;
      const same = standings.get(problemId)!.failures.get(keyOf(utterance));
      if (same) return { ...outcome, duplicateOf: same.failure.id };
      return { ...outcome, failure: failureFromAttempt(attempt, step) };
    },
    record({ problemId, failure, duplicateOf }) {
      const standing = standings.get(problemId)!;
      standing.tries++;
      if (failure) {
        standing.failures.set(keyOf(failure.attempt), { failure, count: 1 });
        kept++;
      } else if (duplicateOf !== undefined) {
        for (const one of standing.failures.values()) if (one.failure.id === duplicateOf) one.count++;
      }
    },
    failures: () =>
      [...standings.values()].flatMap((standing) =>
        [...standing.failures.values()].map(({ failure, count }) =>
          count === 1 ? failure : { ...failure, count },
        ),
      ),
    kept: () => kept,
    settled: () =>
      kept >= maxFailures
        ? problems.length * tries
        : [...standings.values()].reduce((sum, s) => sum + (openTries(s) > 0 ? s.tries : tries), 0),
  };
}

const keyOf = ({ tokens }: Utterance) => tokens.join();
