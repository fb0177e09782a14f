/**
 * A collection in numbers: how hard the problems are, how attempts fail, how long they are. Pure; what the names and
 * numbers mean is told in docs/reference/failures.md.
 */
import type { Outcome } from "../core/episode.ts";
import { median } from "../core/median.ts";
import type { Verdict } from "../core/task.ts";
import { errorClassOf } from "./error-class.ts";

export interface LengthSummary {
  mean: number;
  median: number;
  max: number;
  /** Share that was cut at the token limit. */
  truncated: number;
}

export interface CollectSummary {
  /** By the share of their scored attempts that was solved; `unscored`: without a scored attempt. */
  problems: { total: number; never: number; sometimes: number; always: number; unscored: number };
  attempts: { total: number; solved: number; failed: number; unscored: number };
  failures: { distinct: number; repeated: number };
  /** Problems by solve rate: [0, 0.1), [0.1, 0.2), … [0.9, 1]. */
  solveRates: number[];
  /** Failed attempts by what was wrong, the commonest first. */
  errors: { errorClass: string; attempts: number; problems: number }[];
  /** Tokens, end token included; null where there is no such attempt. */
  lengths: { solved: LengthSummary | null; failed: LengthSummary | null };
  /** Why verdicts are missing, the commonest first. */
  unscored: { cause: string; attempts: number }[];
}

const BINS = 10;
/** Classes and causes that are listed; what is left is one more entry. */
const MOST_LISTED = 20;

export function summarizeCollection(outcomes: readonly Outcome[]): CollectSummary {
  const of = (kind: Verdict["kind"]) => outcomes.filter(({ verdict }) => verdict.kind === kind);
  const [solved, failed, unscored] = [of("solved"), of("failed"), of("unscored")];
  const rates = [...solveRates(outcomes).values()];
  const scored = rates.filter((rate) => rate !== undefined);
  const bins = new Array<number>(BINS).fill(0);
  for (const rate of scored) bins[Math.min(BINS - 1, Math.floor(rate * BINS))]!++;
  const never = scored.filter((rate) => rate === 0).length;
  const always = scored.filter((rate) => rate === 1).length;
  return {
    problems: {
      total: rates.length,
      never,
      sometimes: scored.length - never - always,
      always,
      unscored: rates.length - scored.length,
    },
    attempts: {
      total: outcomes.length,
      solved: solved.length,
      failed: failed.length,
      unscored: unscored.length,
    },
    failures: {
      distinct: failed.filter(({ failure }) => failure).length,
      repeated: failed.filter(({ failure }) => !failure).length,
    },
    solveRates: bins,
    errors: tally(failed, ({ verdict }) => errorClassOf(verdict) ?? "unclassified").map(
      ([errorClass, some]) => ({
        errorClass,
        attempts: some.length,
        problems: new Set(some.map(({ problemId }) => problemId)).size,
      }),
    ),
    lengths: { solved: lengthsOf(solved), failed: lengthsOf(failed) },
    unscored: tally(unscored, ({ verdict }) => (verdict.kind === "unscored" ? verdict.cause : "")).map(
      ([cause, some]) => ({ cause, attempts: some.length }),
    ),
  };
}

/** Of each problem; undefined where nothing was scored. */
function solveRates(outcomes: readonly Outcome[]): Map<string, number | undefined> {
  const counts = new Map<string, { solved: number; scored: number }>();
  for (const { problemId, verdict } of outcomes) {
    const count = counts.get(problemId) ?? { solved: 0, scored: 0 };
    counts.set(problemId, count);
    if (verdict.kind === "solved") count.solved++;
    if (verdict.kind !== "unscored") count.scored++;
  }
  return new Map(
    [...counts].map(([id, { solved, scored }]) => [id, scored === 0 ? undefined : solved / scored]),
  );
}

function tally(outcomes: readonly Outcome[], nameOf: (outcome: Outcome) => string): [string, Outcome[]][] {
  const groups = new Map<string, Outcome[]>();
  for (const outcome of outcomes) {
    const name = nameOf(outcome);
    const group = groups.get(name);
    if (group) group.push(outcome);
    else groups.set(name, [outcome]);
  }
  const sorted = [...groups].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1));
  const rest = sorted.slice(MOST_LISTED).flatMap(([, some]) => some);
  return rest.length === 0 ? sorted : [...sorted.slice(0, MOST_LISTED), ["others", rest]];
}

function lengthsOf(outcomes: readonly Outcome[]): LengthSummary | null {
  if (outcomes.length === 0) return null;
  const lengths = outcomes.map(({ length }) => length);
  return {
    mean: lengths.reduce((sum, length) => sum + length, 0) / lengths.length,
    median: median(lengths),
    max: lengths.reduce((a, b) => Math.max(a, b)),
    truncated: outcomes.filter(({ truncated }) => truncated).length / outcomes.length,
  };
}
