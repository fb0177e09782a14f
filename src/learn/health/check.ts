/** What a check of a run's health is: it sees the steps so far, says how far over a bound they are, and what to do about it. */
import type { LearnFrom } from "../completions.ts";
import type { MetricName, Metrics } from "../metric-names.ts";

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

export interface Check<Kind extends string> {
  kind: Kind;
  /** Not told while this one is. */
  coveredBy?: string;
  /** How far over its bound: 1 = at it, below 0.5 = well. Undefined = this step cannot tell. */
  excess(course: Course, settings: HealthSettings): number | undefined;
  tell(course: Course, settings: HealthSettings): Told;
}

/** Its kind as a type of its own. */
export const check = <Kind extends string>(one: Check<Kind>): Check<Kind> => one;

/** What shows at once need not wait for a whole window. Chosen. */
export const SOON = 3;

/** "12 %". */
export const percent = (share: number) => `${Math.round(100 * share)} %`;
/** To two digits. */
export const round = (value: number) => String(Number(value.toPrecision(2)));
