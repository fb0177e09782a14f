/** What a run's logs draw: each curve with what it shows, in words. Numbers only; must not know how they are drawn. */
import { wilsonInterval } from "../../evaluate/index.ts";
import type { EvaluationLine, StepLine } from "../../store/wire.ts";
import type { RunData } from "./run-data.ts";

export interface Point {
  step: number;
  /** null = not a number: the step was measured and came to nothing. */
  value: number | null;
  low?: number;
  high?: number;
}

export interface Series {
  name: string;
  points: Point[];
}

export interface Curve {
  title: string;
  /** How to read it, in a sentence. */
  note: string;
  unit: "percent" | "number" | "tokens" | "seconds";
  /** What the band is, where there is one. */
  band?: string;
  /** Noisy ones get a moving mean. */
  smooth: boolean;
  series: Series[];
}

/** More points than this a curve of a few hundred pixels cannot show. */
const MOST_POINTS = 400;

/** Those that the run measured, validation first. */
export function curvesOf(run: RunData): Curve[] {
  return [...validationCurves(run), ...trainingCurves(run)].filter(({ series }) => series.length > 0);
}

/** Where the seconds of the run's steps went. */
export function timeCurvesOf({ timings }: Pick<RunData, "timings">): Curve[] {
  const definitions = [
    {
      title: "Seconds of a step",
      note: "Jumps point to a busy machine or to longer texts.",
      unit: "seconds",
      metric: "step_time",
    },
    {
      title: "Tokens per second",
      note: "Sampled and trained on in the step, by its seconds.",
      unit: "tokens",
      metric: "tokens_per_second",
    },
  ] as const;
  const curves = definitions.map(({ metric, ...curve }) =>
    withBand({ ...curve, smooth: true, series: seriesOf(timings, metric, metric) }),
  );
  return curves.filter(({ series: [line] }) => line !== undefined && line.points.length > 1);
}

type Definition = Pick<Curve, "title" | "note" | "unit"> & { of: [metric: string, name: string][] };

function trainingCurves({ metrics, config }: RunData): Curve[] {
  const { learnFrom } = config;
  const [learner, learners] = Object.hasOwn(LEARNERS, learnFrom)
    ? LEARNERS[learnFrom]!
    : ["completion", "Completions"];
  const definitions: Definition[] = [
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
      note: `Share of ${learner}s that hold a complete solution, and of those cut at their limit.`,
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
  const curves = definitions.map(({ of, ...curve }): Curve => {
    const series = of.flatMap(([metric, name]) => seriesOf(metrics, metric, name));
    // where reward is what the verifier says, rescue is the same number again
    const [first, second] = series;
    const isSame = second !== undefined && JSON.stringify(first!.points) === JSON.stringify(second.points);
    return withBand({
      ...curve,
      smooth: curve.title !== "Learning rate",
      series: isSame ? [{ ...first!, name: of.map(([, name]) => name).join(" = ") }] : series,
    });
  });
  curves.splice(7, 0, lengthCurve(metrics, learners));
  return curves;
}

const LEARNERS: Record<string, [singular: string, title: string]> = {
  reflection: ["reflection", "Reflection"],
  answer: ["attempt", "Attempt"],
  retry: ["retry", "Retry"],
  "reflection+retry": ["reflection with its retry", "Reflection and retry"],
};

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

function seriesOf(lines: readonly StepLine[], metric: string, name: string): Series[] {
  const points = lines.flatMap((line): Point[] => {
    const value = line[metric];
    return value === undefined ? [] : [{ step: line.step, value }];
  });
  return points.length > 0 ? [{ name, points: thin(points) }] : [];
}

/** Long curves: means of neighbours, with a band from the smallest to the largest. */
function thin(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / MOST_POINTS);
  if (size === 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i): Point => {
    const bucket = points.slice(i * size, (i + 1) * size);
    const values = bucket.flatMap(({ value }) => value ?? []);
    const step = bucket.at(-1)!.step;
    if (values.length === 0) return { step, value: null };
    const lows = bucket.flatMap(({ low, value }) => low ?? value ?? []);
    const highs = bucket.flatMap(({ high, value }) => high ?? value ?? []);
    const value = values.reduce((mean, x) => mean + x / values.length, 0); // a sum may have no double
    return { step, value, low: Math.min(...lows), high: Math.max(...highs) };
  });
}

function withBand(curve: Curve): Curve {
  const isThinned = curve.series.some(({ points }) => points.some(({ low }) => low !== undefined));
  return isThinned ? { ...curve, smooth: false, band: "smallest to largest of neighbouring steps" } : curve;
}

function validationCurves({ evaluations, validationStart }: RunData): Curve[] {
  const lines = evaluations.filter(({ split }) => split === "validation");
  const { problems = 0, failures = 0 } = validationStart ?? {};
  const series = (name: string, metric: string, count: number): Series[] => {
    const points = lines.flatMap((line) => pointOf(line, metric, count));
    return points.length > 0 ? [{ name, points }] : [];
  };
  const shared = { unit: "percent", smooth: false } as const;
  const band = validationStart ? { band: "95 % interval" } : {};
  const of = `of ${problems || "the validation"} problems`;
  return [
    {
      ...{ title: "Validation: tries", ...shared, ...band },
      note: `Share ${of} solved at first, and at first or after reflecting.`,
      series: [
        ...series("second try", "eval/second_try", problems),
        ...series("first try", "eval/first_try", problems),
      ],
    },
    {
      ...{ title: "Validation: rescue", ...shared, ...band },
      note: "Share of the starting model's failures that the retry after a reflection solves.",
      series: series("rescue", "eval/rescue", failures),
    },
  ];
}

function pointOf(line: EvaluationLine, metric: string, count: number): Point[] {
  const value = line[metric];
  if (typeof value !== "number") return value === null ? [{ step: line.step, value }] : [];
  const { low, high } = wilsonInterval(value, count);
  return [{ step: line.step, value, ...(Number.isFinite(low) && { low, high }) }];
}
