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
  /** All parts; settleSteps gives it back. */
  memory: Float32Array;
  /**
   * Each layer's keys, then each layer's values, with P = N rows. Of a few rows all are one part, with P = 2 · layers · N:
   * there an array that passes to and from the runtime costs more than cutting one apart. // [capacity, P, K, D]
   */
  parts: Float32Array[];
  /** Of all the call's samples: what one of many gives must not change when the others have ended. */
  isFew: boolean;
  rows: number;
  count: number;
  capacity: number;
}

/** Room for as many steps as will be taken, or as many as are settled together; for one at least. */
export function createRecentSteps(
  { weights: { config }, memory: pool }: Pick<Sampler, "weights" | "memory">,
  rows: number,
  { steps, isFew }: { steps: number; isFew: boolean },
): RecentSteps {
  const capacity = Math.max(1, Math.min(steps, MOST_STEPS));
  const memory = pool.take(2 * config.layers * capacity * rows * config.kvHeads * config.headSize);
  const arrays = isFew ? 1 : 2 * config.layers;
  const size = memory.length / arrays;
  const parts = Array.from({ length: arrays }, (_, i) => memory.subarray(i * size, (i + 1) * size));
  return { memory, parts, isFew, rows, count: 0, capacity };
}

/** One step in a part. // [P, K, D] */
function stepDims(
  { layers, kvHeads, headSize }: CacheShape,
  { parts, rows }: RecentSteps,
): [number, number, number] {
  return [(2 * layers * rows) / parts.length, kvHeads, headSize];
}

/**
 * The steps so far as inputs `recent.i`, one for each part; before the first a step of zeros, to be hidden, since the
 * runtime ends the process on products of no size in a row. // [count, P, K, D]
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

/** Where the next step's outputs `new.i` go. // [P, K, 1, D] */
export function nextStep(shape: CacheShape, recent: RecentSteps): Record<string, Feed> {
  const [partRows, heads, headSize] = stepDims(shape, recent);
  const size = partRows * heads * headSize;
  const from = recent.count * size;
  return partFeeds("new", recent.parts, [partRows, heads, 1, headSize], (part) =>
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
  const { rows, count, isFew } = recent;
  const size = rows * config.kvHeads * count * config.headSize;
  const settled = { ...takeNumbers(config, size, sampler.memory.take), capacity: count };
  if (size > 0) {
    const session = await sampler.settle({ isFew });
    const [partRows, heads, headSize] = stepDims(config, recent);
    const parts = isFew ? [settled.memory] : [...settled.keys, ...settled.values];
    const into = partFeeds("settled", parts, [partRows, heads, count, headSize]);
    await session.run(recentFeeds(config, recent), into);
  }
  sampler.memory.give(recent.memory);
  return settled;
}
