/**
 * Watches a run's metrics, step by step, for the ways in which training goes wrong unnoticed. A fold over the steps' metrics: what it
 * says depends on them alone, so that a resumed run, which reads them back, says what the run would have said.
 */

import type { MetricName, Metrics } from "../metric-names.ts";
import type { Course, HealthSettings, Told } from "./check.ts";
import { CHECKS, type WarningKind } from "./checks.ts";

export interface Warning extends Told {
  kind: WarningKind | "skipped_step";
}

/** What is remembered of a metric. */
interface Trace {
  /** Its first values, `WINDOW` at the most. */
  first: readonly number[];
  /** Its last ones. */
  last: readonly number[];
  /** Highest mean over `WINDOW` values in a row. */
  peak: number;
}

/** What is remembered of the steps so far; plain data. */
export interface Health {
  traces: Readonly<Partial<Record<MetricName, Trace>>>;
  /** Of each kind that was warned of and is not over: how many steps in a row it has been well. */
  active: Readonly<Partial<Record<WarningKind, number>>>;
}

/** Steps of a running mean. Chosen: long enough for a step's chance to average out. */
const WINDOW = 10;
/** A warning is repeated only after so many well steps in a row. Chosen: two windows, so that one good step is no recovery. */
const RECOVERY = 20;
/** Well = below half of the bound, so that a value that wavers around its bound is told once. */
const WELL = 0.5;

export const NO_HEALTH: Health = { traces: {}, active: {} };

/** One more step: what to remember, and what to warn of. */
export function observe(
  health: Health,
  metrics: Metrics,
  settings: HealthSettings,
): { health: Health; warnings: Warning[] } {
  const traces = extend(health.traces, metrics);
  const course = courseOf(traces, metrics);
  const active = { ...health.active };
  const warnings: Warning[] = [];
  for (const { kind, coveredBy, excess, tell } of CHECKS) {
    const value = excess(course, settings);
    if (value === undefined) continue;
    const wellSteps = active[kind];
    if (wellSteps !== undefined) {
      active[kind] = value < WELL ? wellSteps + 1 : 0;
      if (active[kind] >= RECOVERY) delete active[kind];
    } else if (value >= 1 && !(coveredBy && coveredBy in active)) {
      active[kind] = 0;
      warnings.push({ kind, ...tell(course, settings) });
    }
  }
  return { health: { traces, active }, warnings };
}

function extend(traces: Health["traces"], metrics: Metrics): Health["traces"] {
  const extended = { ...traces };
  for (const [name, value] of Object.entries(metrics) as [MetricName, number | null][]) {
    // null is what a file has for a number that was not finite
    if (value === null || !Number.isFinite(value)) continue;
    const { first, last, peak } = traces[name] ?? { first: [], last: [], peak: Number.NEGATIVE_INFINITY };
    const values = [...last, value].slice(-WINDOW);
    extended[name] = {
      first: first.length < WINDOW ? [...first, value] : first,
      last: values,
      peak: values.length < WINDOW ? peak : Math.max(peak, average(values)),
    };
  }
  return extended;
}

function courseOf(traces: Health["traces"], now: Metrics): Course {
  const last = (name: MetricName, count = WINDOW) => {
    const values = now[name] === undefined ? [] : (traces[name]?.last ?? []);
    return values.length < count ? undefined : values.slice(-count);
  };
  return {
    now,
    last,
    mean(name, count) {
      const values = last(name, count);
      return values && average(values);
    },
    start(name) {
      const first = traces[name]?.first ?? [];
      return first.length < WINDOW ? undefined : average(first);
    },
    peak: (name) => traces[name]?.peak,
  };
}

const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
