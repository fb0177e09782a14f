/**
 * Intervals and tests for evaluations: percentile bootstrap over items (ratios, paired) and McNemar's
 * exact test. Pure: the same seed gives the same interval, and the same items drawn for everything that is compared.
 */
import { hashSeed } from "../core/rng.ts";

/** NaN throughout where the estimate is undefined (no items, or a ratio over nothing). */
export interface Interval {
  estimate: number;
  low: number;
  high: number;
}

export interface BootstrapOptions {
  seed: number;
  /** Default 2000. */
  resamples?: number;
  /** Coverage of the interval. Default 0.95. */
  confidence?: number;
}

/** One number per item; items in the same order wherever two lists are compared. */
type Values = ArrayLike<number>;

/** A rate over a subset: numerator 1 and denominator 1 for an item that counts and succeeds, 0 and 0 outside. */
export interface Ratio {
  numerators: Values;
  denominators: Values;
}

/** sum(numerators) / sum(denominators); both vary, since which items count is itself by chance. */
export function bootstrapRatio(ratio: Ratio, options: BootstrapOptions): Interval {
  requireEqualLengths("bootstrapRatio", ratio.numerators, ratio.denominators);
  return bootstrap(ratio.numerators.length, (items) => ratioOf(ratio, items), options);
}

/** first - second, each item drawn with both its numerators and denominators. */
export function bootstrapRatioDifference(first: Ratio, second: Ratio, options: BootstrapOptions): Interval {
  const lists = [first.numerators, first.denominators, second.numerators, second.denominators];
  requireEqualLengths("bootstrapRatioDifference", ...lists);
  const statistic = (items: Uint32Array) => ratioOf(first, items) - ratioOf(second, items);
  return bootstrap(first.numerators.length, statistic, options);
}

/**
 * Percentile bootstrap of any statistic of drawn items (indices below `length`, with repeats). Resamples where the
 * statistic is NaN are left out.
 */
export function bootstrap(
  length: number,
  statistic: (items: Uint32Array) => number,
  options: BootstrapOptions,
): Interval {
  const estimate = statistic(Uint32Array.from({ length }, (_, i) => i));
  const items = new Uint32Array(length);
  return percentileInterval(estimate, options, (resampleSeed) => {
    drawItems(items, resampleSeed);
    return statistic(items);
  });
}

/** 1.96: what a standard normal variable stays within 95 times in 100. */
const NORMAL_95 = 1.959963984540054;

/** Wilson's 95 % interval of a rate over `count` items, where only the rate was kept; NaN without items. */
export function wilsonInterval(rate: number, count: number): Interval {
  if (!(count > 0)) return { estimate: rate, low: Number.NaN, high: Number.NaN };
  const z2 = NORMAL_95 ** 2;
  const centre = (rate + z2 / (2 * count)) / (1 + z2 / count);
  const half =
    (NORMAL_95 / (1 + z2 / count)) * Math.sqrt((rate * (1 - rate)) / count + z2 / (4 * count ** 2));
  return { estimate: rate, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

export interface McNemarResult {
  /** Items that only the first, only the second got right. */
  onlyFirst: number;
  onlySecond: number;
  /** Two-sided exact p-value. */
  p: number;
}

/** McNemar's exact test on paired outcomes (true or non-zero = right): a sign test on the items that differ. */
export function mcnemarExact(
  first: ArrayLike<number | boolean>,
  second: ArrayLike<number | boolean>,
): McNemarResult {
  requireEqualLengths("mcnemarExact", first, second);
  let onlyFirst = 0;
  let onlySecond = 0;
  for (let i = 0; i < first.length; i++) {
    if (first[i] && !second[i]) onlyFirst++;
    if (second[i] && !first[i]) onlySecond++;
  }
  const tail = fairCoinTail(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond);
  return { onlyFirst, onlySecond, p: Math.min(1, 2 * tail) };
}

/** P(X <= k) for X ~ Binomial(n, 1/2), in logs, since 2^-n underflows from n = 1075. */
function fairCoinTail(k: number, n: number): number {
  let logTerm = -n * Math.LN2;
  let tail = 0;
  for (let i = 0; i <= k; i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((n - i) / (i + 1));
  }
  return tail;
}

function percentileInterval(
  estimate: number,
  options: BootstrapOptions,
  resample: (seed: number) => number,
): Interval {
  if (Number.isNaN(estimate)) return { estimate, low: Number.NaN, high: Number.NaN };
  const { seed, resamples = 2000, confidence = 0.95 } = options;
  const drawn = Float64Array.from({ length: resamples }, (_, r) => resample(hashSeed(seed, r)));
  const sorted = drawn.filter((value) => !Number.isNaN(value)).sort();
  const tail = (1 - confidence) / 2;
  return { estimate, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/** Linear interpolation between order statistics (type 7, the default of R and NumPy). */
function quantile(sorted: Float64Array, probability: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = probability * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

/** Fills `items` with indices below its length, drawn with replacement; item i of a resample depends on i alone. */
function drawItems(items: Uint32Array, seed: number): void {
  for (let i = 0; i < items.length; i++) {
    items[i] = Math.floor((hashSeed(seed, i) / 2 ** 32) * items.length);
  }
}

function sum(values: Values, items: Uint32Array): number {
  let total = 0;
  for (let i = 0; i < items.length; i++) total += values[items[i]!]!;
  return total;
}

/** The ratio of drawn items, for a statistic of one's own; NaN over nothing. */
export function ratioOf({ numerators, denominators }: Ratio, items: Uint32Array): number {
  const whole = sum(denominators, items);
  return whole === 0 ? Number.NaN : sum(numerators, items) / whole;
}

function requireEqualLengths(name: string, ...lists: readonly ArrayLike<unknown>[]): void {
  const lengths = lists.map((list) => list.length);
  if (lengths.some((length) => length !== lengths[0])) {
    throw new RangeError(`${name}: paired lists have one value per item, got lengths ${lengths.join(", ")}`);
  }
}
