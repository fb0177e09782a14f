/**
 * The starting model against the trained one on the same problems and the same failures, with paired bootstrap
 * intervals: every difference draws both models' outcomes of an item together.
 */
import { MulliganError } from "../core/errors.ts";
import { type Evaluation, type EvaluationDecoding, failuresOf } from "./evaluation.ts";
import { errorClasses, errorShare, MEASURES, type Measure, rateOf } from "./measures.ts";
import {
  bootstrap,
  bootstrapRatio,
  bootstrapRatioDifference,
  type Interval,
  mcnemarExact,
  type Ratio,
  ratioOf,
} from "./statistics.ts";

/** `gain` is trained - start. */
export interface Contrast {
  start: Interval;
  trained: Interval;
  gain: Interval;
}

/** Plain data; NaN, which JSON writes as null, where one of the two models has no item of a kind. */
export interface Comparison {
  task: string;
  decoding: EvaluationDecoding;
  /** Of the draws. */
  seed: number;
  bootstrap: { seed: number; resamples: number };
  counts: { problems: number; failures: number; unscored: { start: number; trained: number } };
  /** What neither evaluation sampled is absent. */
  measures: Partial<Record<Measure, Contrast>>;
  /** Share of the rescue gain that another problem's reflections keep; absent without controls. */
  shuffledShare?: Interval;
  /** Share of first tries by sort of mistake, the commonest; empty where the task names none. */
  errors: { errorClass: string; contrast: Contrast }[];
  /** First tries that training turned from failed to solved, and from solved to failed; McNemar's exact p. */
  firstTryFlips: { won: number; lost: number; p: number };
}

export interface ComparisonOptions {
  seed: number;
  /** Resamples behind each interval. */
  bootstrap: number;
}

/** Throws `MulliganError("data")` when the two were not evaluated on the same items in the same way. */
export function compareEvaluations(
  start: Evaluation,
  trained: Evaluation,
  options: ComparisonOptions,
): Comparison {
  requireSameItems(start, trained);
  const resampling = { seed: options.seed, resamples: options.bootstrap };
  const measures: Comparison["measures"] = {};
  for (const measure of Object.keys(MEASURES) as Measure[]) {
    const [before, after] = [MEASURES[measure](start), MEASURES[measure](trained)];
    if (Number.isNaN(rateOf(before)) && Number.isNaN(rateOf(after))) continue;
    measures[measure] = contrastOf(before, after, resampling);
  }
  const { task, decoding, seed, counts } = start;
  return {
    task,
    decoding,
    seed,
    bootstrap: resampling,
    counts: {
      problems: counts.problems,
      failures: counts.failures,
      unscored: { start: counts.unscored, trained: trained.counts.unscored },
    },
    measures,
    ...(measures.shuffled && { shuffledShare: shuffledShare(start, trained, resampling) }),
    errors: errorContrasts(start, trained, resampling),
    firstTryFlips: firstTryFlips(start, trained),
  };
}

/** Throws `MulliganError("data")` unless problems, failures, task, decoding and seed are the same. */
export function requireSameItems(start: Evaluation, trained: Evaluation): void {
  const rules: [string, (evaluation: Evaluation) => unknown][] = [
    ["task", ({ task }) => task],
    ["seed", ({ seed }) => seed],
    ["decoding", ({ decoding }) => decoding],
    ["problems", ({ problems }) => problems.map(({ problemId }) => problemId)],
    ["failures", (evaluation) => failuresOf(evaluation).map(({ id, attempt }) => [id, attempt.tokens])],
  ];
  for (const [name, of] of rules) {
    if (JSON.stringify(of(start)) === JSON.stringify(of(trained))) continue;
    throw new MulliganError("data", `comparison: both evaluations must have the same ${name}`, {
      hint: "evaluate the trained model on the same problems, with fixedFailures: failuresOf(start)",
    });
  }
}

export interface Resampling {
  seed: number;
  resamples: number;
}

export function contrastOf(before: Ratio, after: Ratio, resampling: Resampling): Contrast {
  return {
    start: bootstrapRatio(before, resampling),
    trained: bootstrapRatio(after, resampling),
    gain: bootstrapRatioDifference(after, before, resampling),
  };
}

function errorContrasts(start: Evaluation, trained: Evaluation, resampling: Resampling) {
  return errorClasses(start, trained).map((errorClass) => {
    const [before, after] = [errorShare(start, errorClass), errorShare(trained, errorClass)];
    return { errorClass, contrast: contrastOf(before, after, resampling) };
  });
}

function shuffledShare(start: Evaluation, trained: Evaluation, resampling: Resampling): Interval {
  const [shuffledBefore, shuffledAfter] = [MEASURES.shuffled(start), MEASURES.shuffled(trained)];
  const [before, after] = [MEASURES.rescue(start), MEASURES.rescue(trained)];
  const statistic = (items: Uint32Array) => {
    const gain = ratioOf(after, items) - ratioOf(before, items);
    const kept = ratioOf(shuffledAfter, items) - ratioOf(shuffledBefore, items);
    return gain === 0 ? Number.NaN : kept / gain;
  };
  return bootstrap(start.failures.length, statistic, resampling);
}

function firstTryFlips(start: Evaluation, trained: Evaluation): Comparison["firstTryFlips"] {
  const pairs = start.problems
    .map(({ first }, i) => [first, trained.problems[i]!.first] as const)
    .filter((pair) => !pair.includes("unscored"));
  const { onlyFirst, onlySecond, p } = mcnemarExact(
    pairs.map(([before]) => before === "solved"),
    pairs.map(([, after]) => after === "solved"),
  );
  return { won: onlySecond, lost: onlyFirst, p };
}
