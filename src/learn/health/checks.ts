/**
 * The ways in which training goes wrong: each with a bound, what it means and what to change. All bounds are chosen, from runs of
 * the shipped model and what is usual elsewhere; none is derived.
 */
import { check, percent, round, SOON } from "./check.ts";
import { fewLiveGroups, noSignal } from "./group-checks.ts";
import { diversityCollapse, noEndToken, truncated } from "./text-checks.ts";

/** Of its best running mean, which must have been clearly above 0. */
const REWARD_LEFT = 0.2;
const CLEAR_REWARD = 0.05;
/** Of the entropy of the first steps. */
const ENTROPY_LEFT = 0.1;
const ENTROPY_GROWN = 3;
/** In nats; below it more entropy is no explosion. */
const HIGH_ENTROPY = 1;
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

const rewardCollapse = check({
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
});

const entropyCollapse = check({
  kind: "entropy_collapse",
  excess(course) {
    const [mean, start] = [course.mean("entropy"), course.start("entropy")];
    return mean === undefined || start === undefined ? undefined : (ENTROPY_LEFT * start) / mean;
  },
  tell: (course) => ({
    message: `the entropy fell to ${round(course.mean("entropy")!)} nats, from ${round(course.start("entropy")!)} at first: the model says nearly the same whatever the draw, and there is less and less to compare`,
    hint: "lower --learning-rate, raise --temperature or --epsilon-high (0.28 is usual), or stop here",
  }),
});

const entropyExplosion = check({
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
});

const samplerMismatch = check({
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
});

const leaks = check({
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
});

const klBlowUp = check({
  kind: "kl_blow_up",
  excess(course) {
    const kl = course.mean("kl", SOON);
    return kl === undefined ? undefined : kl / HIGH_KL;
  },
  tell: (course) => ({
    message: `the KL to the starting model is ${round(course.mean("kl", SOON)!)} nats per token: the model is no longer the one that it was`,
    hint: "lower --learning-rate or raise --beta; go back to an earlier checkpoint",
  }),
});

const gradNorm = check({
  kind: "grad_norm",
  excess(course, { maxGradNorm }) {
    const norms = course.last("grad_norm");
    if (norms === undefined || maxGradNorm === 0) return undefined;
    return reachedByMost(norms) / (FAR_ABOVE_CLIP * maxGradNorm);
  },
  tell: (course, { maxGradNorm }) => ({
    message: `the gradient's norm was at least ${round(reachedByMost(course.last("grad_norm")!))} in most of the last 10 steps, far above maxGradNorm ${maxGradNorm}: every step is cut to the same length, whatever it says`,
    hint: "lower --learning-rate; if the reward rises all the same, raise --max-grad-norm to what is usual here",
  }),
});

const unscored = check({
  kind: "unscored",
  excess(course) {
    const share = course.mean("completions/unscored_ratio", SOON);
    return share === undefined ? undefined : share / MANY_UNSCORED;
  },
  tell: (course) => ({
    message: `${percent(course.mean("completions/unscored_ratio", SOON)!)} of the answers could not be scored and are lost: the check throws, returns null or runs out of time`,
    hint: "`mulligan check-task` shows on what; --verifier.timeout-ms gives it more time",
  }),
});

/** What the middle of the values reaches: the lower one of an even number, so that most of them do. */
function reachedByMost(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

/** In the order in which they are told. */
export const CHECKS = [
  noSignal,
  fewLiveGroups,
  rewardCollapse,
  entropyCollapse,
  entropyExplosion,
  diversityCollapse,
  noEndToken,
  truncated,
  samplerMismatch,
  leaks,
  klBlowUp,
  gradNorm,
  unscored,
] as const;

export type WarningKind = (typeof CHECKS)[number]["kind"];
