/**
 * The ways in which training goes wrong: each with a bound, what it means and what to change. All bounds are chosen, from runs of
 * the shipped model and what is usual elsewhere; none is derived.
 */
import type { LearnFrom } from "./completions.ts";
import type { MetricName, Metrics } from "./metric-names.ts";

/** The settings that a judgement depends on. */
export interface HealthSettings {
  learnFrom: LearnFrom;
  numGenerations: number;
  retriesPerReflection: number;
  maxAttemptLength: number;
  maxCompletionLength: number;
  topP: number;
  topK: number;
  quantization: string;
  maxGradNorm: number;
}

/** The steps so far, as a check sees them. A step without a metric is passed over. */
export interface Course {
  /** This step's. */
  now: Metrics;
  /** The last `count` values, a window's at the most; undefined when there are fewer. */
  last(name: MetricName, count?: number): readonly number[] | undefined;
  /** Their mean. */
  mean(name: MetricName, count?: number): number | undefined;
  /** The mean of the first window. */
  start(name: MetricName): number | undefined;
  /** The highest running mean so far. */
  peak(name: MetricName): number | undefined;
}

/** What to say of it. */
export interface Told {
  /** What happened and what it means. */
  message: string;
  /** What to change. */
  hint: string;
}

export type WarningKind = (typeof CHECKS)[number]["kind"];

interface Check<Kind extends string> {
  kind: Kind;
  /** Not told while this one is. */
  coveredBy?: string;
  /** How far over its bound: 1 = at it, below 0.5 = well. Undefined = this step cannot tell. */
  excess(course: Course, settings: HealthSettings): number | undefined;
  tell(course: Course, settings: HealthSettings): Told;
}

const check = <Kind extends string>(one: Check<Kind>): Check<Kind> => one;

/** Groups without signal, one after the other. A step of fewer groups may have none by chance. */
const DEAD_IN_A_ROW = 8;
/** Live groups among the scored ones: fewer are mostly thrown away. */
const FEW_LIVE = 0.1;
/** Of its best running mean, which must have been clearly above 0. */
const REWARD_LEFT = 0.2;
const CLEAR_REWARD = 0.05;
/** Of the entropy of the first steps. */
const ENTROPY_LEFT = 0.1;
const ENTROPY_GROWN = 3;
/** In nats; below it more entropy is no explosion. */
const HIGH_ENTROPY = 1;
/** Members of a group, beside the first, that say something new. */
const FEW_DISTINCT = 0.1;
const MANY_CUT = 0.5;
/** So many are not cut by a limit that is a little low. */
const NEARLY_ALL_CUT = 0.98;
/** Reflections with a solution, and how much more of them than at first. */
const MANY_LEAKS = 0.2;
const MORE_LEAKS = 0.1;
/** In nats per token. */
const HIGH_KL = 1;
/** Times maxGradNorm. */
const FAR_ABOVE_CLIP = 10;
/** Times what rounding explains (metric-names.ts). */
const FAR_ABOVE_ROUNDING = 10;
const ROUNDING = { float: 1e-4, quantised: 1e-2 };
/** A quarter of what ends a run (verifier.maxUnscoredFraction). */
const MANY_UNSCORED = 0.05;
/** What shows at once need not wait for a whole window. */
const SOON = 3;

export const CHECKS = [
  check({
    kind: "no_signal",
    excess(course) {
      if (course.now["groups/live"] === undefined) return undefined;
      return deadInARow(course) / DEAD_IN_A_ROW;
    },
    tell({ now }) {
      const { parts, all, most } = groupCounts(now);
      const list = parts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${SAID[state]}`);
      return {
        message: `the loss is 0 because every one of the ${all} groups was without signal: ${list.join(", ")}`,
        hint: REMEDY[most],
      };
    },
  }),
  check({
    kind: "few_live_groups",
    coveredBy: "no_signal",
    excess(course) {
      const dead = course.mean("frac_reward_zero_std");
      return dead === undefined ? undefined : FEW_LIVE / (1 - dead);
    },
    tell(course) {
      const dead = course.mean("frac_reward_zero_std")!;
      return {
        message: `${percent(dead)} of the groups of the last 10 steps had equal rewards and taught nothing: most of the sampling is wasted`,
        hint: `${REMEDY[groupCounts(course.now).most]}; --dynamic-sampling replaces such groups by others`,
      };
    },
  }),
  check({
    kind: "reward_collapse",
    excess(course) {
      const [mean, peak] = [course.mean("reward"), course.peak("reward")];
      if (mean === undefined || peak === undefined) return undefined;
      return peak < CLEAR_REWARD ? 0 : (REWARD_LEFT * peak) / mean;
    },
    tell: (course) => ({
      message: `the reward fell to ${round(course.mean("reward")!)}, from a best running mean of ${round(course.peak("reward")!)}: training destroys what the model could do`,
      hint: "go back to a checkpoint before the fall and lower --learning-rate; a KL to the starting model (--beta 0.01) holds it back",
    }),
  }),
  check({
    kind: "entropy_collapse",
    excess(course) {
      const [mean, start] = [course.mean("entropy"), course.start("entropy")];
      return mean === undefined || start === undefined ? undefined : (ENTROPY_LEFT * start) / mean;
    },
    tell: (course) => ({
      message: `the entropy fell to ${round(course.mean("entropy")!)} nats, from ${round(course.start("entropy")!)} at first: the model says nearly the same whatever the draw, and there is less and less to compare`,
      hint: "lower --learning-rate, raise --temperature or --epsilon-high (0.28 is usual), or stop here",
    }),
  }),
  check({
    kind: "entropy_explosion",
    excess(course) {
      const [mean, start] = [course.mean("entropy"), course.start("entropy")];
      if (mean === undefined || start === undefined) return undefined;
      return mean / Math.max(ENTROPY_GROWN * start, HIGH_ENTROPY);
    },
    tell: (course) => ({
      message: `the entropy rose to ${round(course.mean("entropy")!)} nats, from ${round(course.start("entropy")!)} at first: what the model writes is turning into noise`,
      hint: "lower --learning-rate or --temperature; add a KL to the starting model (--beta 0.01)",
    }),
  }),
  check({
    kind: "diversity_collapse",
    excess(course, settings) {
      const ratio = course.mean("completions/distinct_ratio");
      if (ratio === undefined) return undefined;
      const least = 1 / groupSize(settings);
      return (FEW_DISTINCT * (1 - least)) / Math.max(0, ratio - least);
    },
    tell(course, settings) {
      const size = groupSize(settings);
      const distinct = round(course.mean("completions/distinct_ratio")! * size);
      return {
        message: `of ${size} ${spoken(settings)} in a group only ${distinct} differ on average: the same text gets different rewards by chance, and nothing is learnt from it`,
        hint: "raise --temperature, check --top-p and --top-k (1 and 0 are off), or lower --learning-rate if it came with training",
      };
    },
  }),
  check({
    kind: "no_end_token",
    excess(course) {
      const cut = course.mean("completions/clipped_ratio", SOON);
      return cut === undefined ? undefined : cut / NEARLY_ALL_CUT;
    },
    tell: (course, settings) => ({
      message: `${percent(course.mean("completions/clipped_ratio", SOON)!)} of the ${spoken(settings)} never ended by themselves: the model does not write its end token`,
      hint: `is it an instruct model with its own chat template? if so it needs more room: ${limits(settings)}`,
    }),
  }),
  check({
    kind: "truncated",
    coveredBy: "no_end_token",
    excess(course) {
      const cut = course.mean("completions/clipped_ratio", SOON);
      return cut === undefined ? undefined : cut / MANY_CUT;
    },
    tell: (course, settings) => ({
      message: `${percent(course.mean("completions/clipped_ratio", SOON)!)} of the ${spoken(settings)} were cut at their limit: what is rewarded is half a thought`,
      hint: `raise ${limits(settings)}, ask for something shorter, or leave cut ones out with --mask-truncated-completions`,
    }),
  }),
  check({
    kind: "sampler_mismatch",
    excess({ now }, { topP, topK, quantization }) {
      const difference = now["sampling/logprob_difference_max"];
      // the sampler's distribution is then meant to be another
      if (difference === undefined || topP < 1 || topK > 0) return undefined;
      return difference / (FAR_ABOVE_ROUNDING * ROUNDING[quantization === "none" ? "float" : "quantised"]);
    },
    tell: ({ now }) => ({
      message: `trainer and sampler disagree on a token's log-probability by ${round(now["sampling/logprob_difference_max"]!)}, more than rounding explains: the gradient is that of another policy`,
      hint: "this is a bug of the engine: please report it with the run's config.json and the model's name",
    }),
  }),
  check({
    kind: "leaks",
    excess(course) {
      const [mean, start] = [course.mean("reflection/leak_rate"), course.start("reflection/leak_rate")];
      if (mean === undefined || start === undefined) return undefined;
      return Math.min(mean / MANY_LEAKS, (mean - start) / MORE_LEAKS);
    },
    tell: (course) => ({
      message: `${percent(course.mean("reflection/leak_rate")!)} of the reflections hold a solution, ${percent(course.start("reflection/leak_rate")!)} did at first: the model is rewarded for solving the task in its reflection`,
      hint: 'ask in the reflection prompt not to solve it, and judge the run by "rescue without leaks"',
    }),
  }),
  check({
    kind: "kl_blow_up",
    excess(course) {
      const kl = course.mean("kl", SOON);
      return kl === undefined ? undefined : kl / HIGH_KL;
    },
    tell: (course) => ({
      message: `the KL to the starting model is ${round(course.mean("kl", SOON)!)} nats per token: the model is no longer the one that it was`,
      hint: "lower --learning-rate or raise --beta; go back to an earlier checkpoint",
    }),
  }),
  check({
    kind: "grad_norm",
    excess(course, { maxGradNorm }) {
      const norms = course.last("grad_norm");
      if (norms === undefined || maxGradNorm === 0) return undefined;
      return median(norms) / (FAR_ABOVE_CLIP * maxGradNorm);
    },
    tell: (course, { maxGradNorm }) => ({
      message: `the gradient's norm was at least ${round(median(course.last("grad_norm")!))} in most of the last 10 steps, far above maxGradNorm ${maxGradNorm}: every step is cut to the same length, whatever it says`,
      hint: "lower --learning-rate; if the reward rises all the same, raise --max-grad-norm to what is usual here",
    }),
  }),
  check({
    kind: "unscored",
    excess(course) {
      const share = course.mean("completions/unscored_ratio", SOON);
      return share === undefined ? undefined : share / MANY_UNSCORED;
    },
    tell: (course) => ({
      message: `${percent(course.mean("completions/unscored_ratio", SOON)!)} of the answers could not be scored and are lost: the check throws, returns null or runs out of time`,
      hint: "`mulligan check-task` shows on what; --verifier.timeout-ms gives it more time",
    }),
  }),
] as const;

const STATES = ["all_failed", "all_passed", "tied", "unscored"] as const;
const SAID = {
  all_failed: "all failed",
  all_passed: "all passed",
  tied: "tied",
  unscored: "unscored",
};
const REMEDY = {
  all_failed:
    "no retry is right: take easier problems, a stronger model or more generations (--num-generations), and see with `mulligan check-task` whether the check is too strict",
  all_passed:
    "every retry is right: collect harder failures (--collect.tries 64 --collect.max-failures-per-problem 4), and see with `mulligan check-task` whether the check passes junk",
  tied: "retries tell reflections apart too seldom: raise --num-generations",
  unscored: "the check fails on nearly every answer: see `mulligan check-task`",
};

function groupCounts(now: Course["now"]) {
  const parts = STATES.map((state) => [state, now[`groups/${state}`] ?? 0] as const);
  const live = now["groups/live"];
  const [most] = parts.reduce((a, b) => (b[1] > a[1] ? b : a));
  return { live, parts, most, all: parts.reduce((sum, [, count]) => sum + count, live ?? 0) };
}

/** Groups since the last live one, of whole steps. */
function deadInARow({ last }: Course): number {
  const names = STATES.map((state) => `groups/${state}` as const);
  let dead = 0;
  for (let steps = 1; last("groups/live", steps)?.[0] === 0; steps++) {
    dead += names.reduce((sum, name) => sum + last(name, steps)![0]!, 0);
  }
  return dead;
}

/** Completions that share a baseline. */
function groupSize({ learnFrom, numGenerations, retriesPerReflection }: HealthSettings): number {
  return learnFrom.includes("retry") ? numGenerations * retriesPerReflection : numGenerations;
}

/** What learns, in a sentence. */
function spoken({ learnFrom }: HealthSettings): string {
  return { reflection: "reflections", answer: "answers", retry: "retries", "reflection+retry": "episodes" }[
    learnFrom
  ];
}

function limits({ learnFrom, maxAttemptLength, maxCompletionLength }: HealthSettings): string {
  const reflection = learnFrom.startsWith("reflection")
    ? `--max-completion-length (${maxCompletionLength})`
    : "";
  const attempt = learnFrom === "reflection" ? "" : `--max-attempt-length (${maxAttemptLength})`;
  return [reflection, attempt].filter(Boolean).join(" and ");
}

/** The lower one of an even number. */
const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
const percent = (share: number) => `${Math.round(100 * share)} %`;
const round = (value: number) => String(Number(value.toPrecision(2)));
