/**
 * Every rate of an evaluation as a ratio over its problems or its failures: one list for validation metrics, comparisons
 * and reports. What could not be scored or was not sampled is in no denominator.
 */
import type { MetricName } from "../learn/metric-names.ts";
import type { Outcome } from "./controls.ts";
import type { Evaluation, ProblemOutcome } from "./evaluation.ts";
import { type Ratio, ratioOf } from "./statistics.ts";

export const MEASURES = {
  first_try: ({ problems }) => solvedOf(problems, ({ first }) => first),
  first_try_lenient: ({ problems }) => solvedOf(problems, lenientOutcomes(problems)),
  second_try: ({ problems }) => solvedOf(problems, ({ second }) => second),
  pass_at_2: ({ problems }) => solvedOf(problems, ({ passAt2 }) => passAt2),
  rescue: ({ failures }) => solvedOf(failures, ({ verdict }) => verdict.kind),
  rescue_no_leak: ({ failures }) =>
    solvedOf(failures, ({ verdict, leaks }) => (leaks === false ? verdict.kind : undefined)),
  rescue_leak: ({ failures }) =>
    solvedOf(failures, ({ verdict, leaks }) => (leaks === true ? verdict.kind : undefined)),
  plain_retry: ({ failures }) => solvedOf(failures, ({ controls }) => controls?.plainRetry),
  second_draw: ({ failures }) => solvedOf(failures, ({ controls }) => controls?.secondDraw),
  shuffled: ({ failures }) => solvedOf(failures, ({ controls }) => controls?.shuffled),
  filler: ({ failures }) => solvedOf(failures, ({ controls }) => controls?.filler),
  leak_rate: ({ failures }) => meanOf(failures, ({ leaks }) => leaks),
  reflection_length: ({ failures }) => meanOf(failures, ({ reflection }) => reflection.tokens.length),
  truncated_rate: ({ failures }) => meanOf(failures, ({ reflection }) => reflection.truncated),
} as const satisfies Record<string, (evaluation: Evaluation) => Ratio>;

export type Measure = keyof typeof MEASURES;

/** A task whose feedback begins in ever other words has no classes worth a table of hundreds. */
const MOST_CLASSES = 12;

/** The commonest sorts of mistake in the first tries of any of the evaluations; none where the task names none. */
export function errorClasses(...evaluations: readonly Evaluation[]): string[] {
  const names = evaluations.flatMap(({ problems }) => problems.flatMap(({ errorClass }) => errorClass ?? []));
  const shareOf = (name: string) =>
    Math.max(...evaluations.map((evaluation) => rateOf(errorShare(evaluation, name)) || 0));
  const shares = [...new Set(names)].map((name) => ({ name, share: shareOf(name) }));
  return shares
    .sort((a, b) => b.share - a.share)
    .slice(0, MOST_CLASSES)
    .map(({ name }) => name);
}

/** Share of the scored first tries that made this sort of mistake. */
export function errorShare({ problems }: Evaluation, errorClass: string): Ratio {
  return meanOf(problems, (problem) =>
    problem.first === "unscored" ? undefined : problem.errorClass === errorClass,
  );
}

/** First tries as the task's lenient reading sees them; undefined throughout where the task has no such reading. */
function lenientOutcomes(problems: Evaluation["problems"]): (problem: ProblemOutcome) => Outcome | undefined {
  if (!problems.some(({ solvedLeniently }) => solvedLeniently !== undefined)) return () => undefined;
  return ({ first, solvedLeniently }) => (solvedLeniently ? "solved" : first);
}

/** The evaluation as metrics, `eval/first_try` and so on; what was not sampled is absent. */
export function summarize(evaluation: Evaluation): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const measure of Object.keys(MEASURES) as Measure[]) {
    const value = rateOf(MEASURES[measure](evaluation));
    if (!Number.isNaN(value)) metrics[metricOf(measure)] = value;
  }
  metrics["eval/unscored" satisfies MetricName] = evaluation.counts.unscored;
  return metrics;
}

/** The ratio over all items; NaN over nothing. */
export function rateOf(ratio: Ratio): number {
  return ratioOf(
    ratio,
    Uint32Array.from({ length: ratio.numerators.length }, (_, i) => i),
  );
}

/** Share of scored answers that are right. */
export function solvedShare(outcomes: readonly Outcome[]): Ratio {
  return solvedOf(outcomes, (outcome) => outcome);
}

function metricOf(measure: Measure): MetricName {
  return `eval/${measure}`;
}

function solvedOf<Item>(items: readonly Item[], outcomeOf: (item: Item) => Outcome | undefined): Ratio {
  return meanOf(items, (item) => {
    const outcome = outcomeOf(item);
    return outcome === undefined || outcome === "unscored" ? undefined : outcome === "solved";
  });
}

function meanOf<Item>(items: readonly Item[], numberOf: (item: Item) => number | boolean | undefined): Ratio {
  const values = items.map(numberOf);
  return {
    numerators: values.map((value) => Number(value ?? 0)),
    denominators: values.map((value) => Number(value !== undefined)),
  };
}
