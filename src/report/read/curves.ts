/** What a run's logs draw: each curve with what it shows, in words. Numbers only; must not know how they are drawn. */
import { wilsonInterval } from "../../evaluate/index.ts";
import type { EvaluationLine } from "../../store/wire.ts";
import { type Curve, type Point, type Series, seriesOf, withBand } from "./curve.ts";
import type { RunData } from "./run-data.ts";
import { trainingCurves } from "./training-curves.ts";

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
