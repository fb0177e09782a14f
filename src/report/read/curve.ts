/** What a curve is: numbers by step, with what they say in words. Must not know how it is drawn. */
import type { StepLine } from "../../store/wire.ts";

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

/** A metric as a series; nothing where no step has it. */
export function seriesOf(lines: readonly StepLine[], metric: string, name: string): Series[] {
  const points = lines.flatMap((line): Point[] => {
    const value = line[metric];
    return value === undefined ? [] : [{ step: line.step, value }];
  });
  return points.length > 0 ? [{ name, points: thin(points) }] : [];
}

/** Long curves: means of neighbours, with a band from the smallest to the largest. */
export function thin(points: readonly Point[]): Point[] {
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

/** Says what the band of a long curve is. */
export function withBand(curve: Curve): Curve {
  const isThinned = curve.series.some(({ points }) => points.some(({ low }) => low !== undefined));
  return isThinned ? { ...curve, smooth: false, band: "smallest to largest of neighbouring steps" } : curve;
}
