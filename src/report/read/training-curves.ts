/** The curves of training, step by step, as a table of what is measured and how to read it. */
import type { StepLine } from "../../store/wire.ts";
import { type Curve, type Point, seriesOf, thin, withBand } from "./curve.ts";
import type { RunData } from "./run-data.ts";

interface Definition extends Pick<Curve, "title" | "unit"> {
  /** `learner`: what learns, in the singular. */
  note: string | ((learner: string) => string);
  of: readonly [metric: string, name: string][];
}

const DEFINITIONS: readonly Definition[] = [
  {
    title: "Reward",
    note: "Mean reward of a step; rescue: share of retries that were solved. Should rise.",
    unit: "percent",
    of: [
      ["reward", "reward"],
      ["rescue/rate", "rescue"],
    ],
  },
  {
    title: "Spread of rewards",
    note: "Standard deviation inside groups. At 0 there is nothing to learn from.",
    unit: "number",
    of: [["reward_std", "reward_std"]],
  },
  {
    title: "Groups without signal",
    note: "Share of groups whose rewards are all equal. Near 100 % the model does not learn.",
    unit: "percent",
    of: [["frac_reward_zero_std", "share"]],
  },
  {
    title: "Entropy",
    note: "How open the choice of tokens is, in nats. A fall to 0 means that all samples are alike.",
    unit: "number",
    of: [["entropy", "entropy"]],
  },
  {
    title: "KL to the starting model",
    note: "How far the policy has moved. Measured when beta > 0.",
    unit: "number",
    of: [["kl", "kl"]],
  },
  {
    title: "Loss",
    note: "Of the policy gradient: around 0 by design, and no measure of success.",
    unit: "number",
    of: [["loss", "loss"]],
  },
  {
    title: "Gradient norm",
    note: "Before clipping. Jumps point to a learning rate that is too high.",
    unit: "number",
    of: [["grad_norm", "grad_norm"]],
  },
  {
    title: "Leaks and cuts",
    note: (learner) => `Share of ${learner}s that hold a complete solution, and of those cut at their limit.`,
    unit: "percent",
    of: [
      ["reflection/leak_rate", "leaks"],
      ["completions/clipped_ratio", "cut"],
    ],
  },
  {
    title: "Sampler against trainer",
    note: "Largest difference of a token's log-probability; on a float32 model 1e-4 or less.",
    unit: "number",
    of: [["sampling/logprob_difference_max", "largest"]],
  },
  { title: "Learning rate", note: "Of each step.", unit: "number", of: [["learning_rate", "rate"]] },
];
/** Before it stands how long the learnt texts are. */
const AFTER_LENGTH = "Leaks and cuts";

const LEARNERS: Record<string, [singular: string, title: string]> = {
  reflection: ["reflection", "Reflection"],
  answer: ["attempt", "Attempt"],
  retry: ["retry", "Retry"],
  "reflection+retry": ["reflection with its retry", "Reflection and retry"],
};

export function trainingCurves({ metrics, config }: Pick<RunData, "metrics" | "config">): Curve[] {
  const { learnFrom } = config;
  const [learner, learners] = Object.hasOwn(LEARNERS, learnFrom)
    ? LEARNERS[learnFrom]!
    : ["completion", "Completions"];
  return DEFINITIONS.flatMap((definition) => [
    ...(definition.title === AFTER_LENGTH ? [lengthCurve(metrics, learners)] : []),
    curveFrom(definition, metrics, learner),
  ]);
}

function curveFrom({ of, note, ...curve }: Definition, metrics: readonly StepLine[], learner: string): Curve {
  const series = of.flatMap(([metric, name]) => seriesOf(metrics, metric, name));
  // where reward is what the verifier says, rescue is the same number again
  const [first, second] = series;
  const isSame = second !== undefined && JSON.stringify(first!.points) === JSON.stringify(second.points);
  return withBand({
    ...curve,
    note: typeof note === "string" ? note : note(learner),
    smooth: curve.title !== "Learning rate",
    series: isSame ? [{ ...first!, name: of.map(([, name]) => name).join(" = ") }] : series,
  });
}

function lengthCurve(metrics: readonly StepLine[], title: string): Curve {
  const points = metrics.flatMap((line): Point[] => {
    const value = line["completions/mean_length"];
    if (value === undefined) return [];
    const [low, high] = [line["completions/min_length"], line["completions/max_length"]];
    return [{ step: line.step, value, ...(low != null && high != null && { low, high }) }];
  });
  return {
    title: `${title} length`,
    note: "Mean of learnt tokens, end token included. Growth to the limit means rambling.",
    unit: "tokens",
    band: "shortest to longest",
    smooth: false,
    series: points.length > 0 ? [{ name: "mean", points: thin(points) }] : [],
  };
}
