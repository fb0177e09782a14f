/**
 * Keys and values of the steps that a batch has taken since its cache was made, one step after the other: each is written
 * by the graph where it stays. Written into rows, every head's entry would lie in a page of its own, which took as long as
 * the attention that reads it (docs/benchmarks.md).
 */
import type { Feed } from "../../../graph/index.ts";
import type { RowEntries } from "./kv-cache.ts";
import { type CacheShape, takeNumbers } from "./numbers.ts";
import type { Sampler } from "./prefill.ts";

/** Steps until they are settled into rows: each is turned into rows at every later step. Arbitrary, not tuned. */
export const MOST_STEPS = 32;

export interface RecentSteps {
  memory: Float32Array;
  /**
   * Each layer's keys, then each layer's values. Of a few rows all layers' are one, for which a step's N are one after
   * the other: there each array that passes to and from the runtime costs more than it takes to cut one apart.
   * // [capacity, N of each in it, K, D]
   */
  parts: Float32Array[];
  rows: number;
  count: number;
  capacity: number;
}

/** Room for as many steps as will be taken, or as many as are settled together; for one at least. */
export function createRecentSteps(
  { weights: { config }, memory }: Pick<Sampler, "weights" | "memory">,
  rows: number,
  { steps, isFew }: { steps: number; isFew: boolean },
): RecentSteps {
  const capacity = Math.max(1, Math.min(steps, MOST_STEPS));
  const all = memory.take(2 * config.layers * capacity * rows * config.kvHeads * config.headSize);
  const count = isFew ? 1 : 2 * config.layers;
  const size = all.length / count;
  const parts = Array.from({ length: count }, (_, i) => all.subarray(i * size, (i + 1) * size));
  return { memory: all, parts, rows, count: 0, capacity };
}

/** What one step takes of a part. // [N of each in it, K, D] */
function stepDims({ layers, kvHeads, headSize }: CacheShape, { parts, rows }: RecentSteps): number[] {
  return [(2 * layers * rows) / parts.length, kvHeads, headSize];
}

/**
 * The steps so far as inputs `recent.i`, one for each part; before the first a step of zeros, to be hidden, since the
 * runtime ends the process on products of no size in a row. // [count, N of each in it, K, D]
 */
export function recentFeeds(shape: CacheShape, recent: RecentSteps): Record<string, Feed> {
  const step = stepDims(shape, recent);
  const size = step.reduce((a, b) => a * b);
  const none = new Float32Array(recent.count > 0 ? 0 : size);
  return partFeeds("recent", recent.parts, [columnsOf(recent), ...step], (part) =>
    recent.count > 0 ? part.subarray(0, recent.count * size) : none,
  );
}

/** Steps that the graph is fed. */
export const columnsOf = ({ count }: RecentSteps) => Math.max(1, count);

/** Where the next step's outputs `new.i` go. // [N of each in it, K, 1, D] */
export function nextStep(shape: CacheShape, recent: RecentSteps): Record<string, Feed> {
  const [rows, heads, headSize] = stepDims(shape, recent) as [number, number, number];
  const size = rows * heads * headSize;
  const from = recent.count * size;
  return partFeeds("new", recent.parts, [rows, heads, 1, headSize], (part) =>
    part.subarray(from, from + size),
  );
}

function partFeeds(
  name: string,
  parts: readonly Float32Array[],
  dims: readonly number[],
  pick: (part: Float32Array) => Float32Array = (part) => part,
): Record<string, Feed> {
  return Object.fromEntries(parts.map((part, i) => [`${name}.${i}`, { data: pick(part), dims }]));
}

/** The steps as rows' entries; the memory that they lay in is given back. */
export async function settleSteps(sampler: Sampler, recent: RecentSteps): Promise<RowEntries> {
  const { config } = sampler.weights;
  const { rows, count, parts } = recent;
  const size = rows * config.kvHeads * count * config.headSize;
  const settled = { ...takeNumbers(config, size, sampler.memory.take), capacity: count };
  if (size > 0) {
    const session = await sampler.settle({ isFew: parts.length === 1 });
    const [all, heads, headSize] = stepDims(config, recent) as [number, number, number];
    const into = parts.length === 1 ? [settled.memory] : [...settled.keys, ...settled.values];
    await session.run(recentFeeds(config, recent), partFeeds("settled", into, [all, heads, count, headSize]));
  }
  sampler.memory.give(recent.memory);
  return settled;
}
