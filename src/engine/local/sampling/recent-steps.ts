/**
 * Keys and values of the steps that a batch has taken since its cache was made, one step after the other: each is written
 * by the graph where it stays. Written into rows, every head's entry would lie in a page of its own, which took as long as
 * the attention that reads it (docs/benchmarks.md).
 */
import type { Feed } from "../../../graph/index.ts";
import type { RowEntries } from "./kv-cache.ts";
import { type CacheShape, type Numbers, numberFeeds, takeNumbers } from "./numbers.ts";
import type { Sampler } from "./prefill.ts";

/** Steps until they are settled into rows: each is turned into rows at every later step. Arbitrary, not tuned. */
export const MOST_STEPS = 32;

/** // [capacity, N, K, D] */
export interface RecentSteps extends Numbers {
  rows: number;
  count: number;
  capacity: number;
}

/** Room for as many steps as will be taken, or as many as are settled together; for one at least. */
export function createRecentSteps(
  { weights: { config }, memory }: Pick<Sampler, "weights" | "memory">,
  rows: number,
  steps: number,
): RecentSteps {
  const capacity = Math.max(1, Math.min(steps, MOST_STEPS));
  const size = capacity * rows * config.kvHeads * config.headSize;
  return { ...takeNumbers(config, size, memory.take), rows, count: 0, capacity };
}

/**
 * The steps so far as inputs `recent_keys.i`, `recent_values.i`; before the first a step of zeros, to be hidden, since the
 * runtime ends the process on products of no size in a row. // [count, N, K, D]
 */
export function recentFeeds(shape: CacheShape, recent: RecentSteps): Record<string, Feed> {
  const dims = [columnsOf(recent), recent.rows, shape.kvHeads, shape.headSize];
  if (recent.count > 0) return stepFeeds(recent, "recent", dims, [0, recent.count]);
  const none = new Float32Array(dims.reduce((a, b) => a * b));
  return numberFeeds(recent, "recent", dims, () => none);
}

/** Steps that the graph is fed. */
export const columnsOf = ({ count }: RecentSteps) => Math.max(1, count);

/** Where the next step's outputs `new_keys.i`, `new_values.i` go. // [N, K, 1, D] */
export function nextStep(shape: CacheShape, recent: RecentSteps): Record<string, Feed> {
  const dims = [recent.rows, shape.kvHeads, 1, shape.headSize];
  return stepFeeds(recent, "new", dims, [recent.count, recent.count + 1]);
}

/** Steps `from` to before `to`. */
function stepFeeds(
  recent: RecentSteps,
  name: string,
  dims: readonly number[],
  [from, to]: readonly [number, number],
): Record<string, Feed> {
  return numberFeeds(recent, name, dims, (layer) => {
    const step = layer.length / recent.capacity;
    return layer.subarray(from * step, to * step);
  });
}

/** The steps as rows' entries; the memory that they lay in is given back. */
export async function settleSteps(sampler: Sampler, recent: RecentSteps): Promise<RowEntries> {
  const { config } = sampler.weights;
  const { rows, count } = recent;
  const size = rows * config.kvHeads * count * config.headSize;
  const settled = { ...takeNumbers(config, size, sampler.memory.take), capacity: count };
  if (size > 0) {
    const session = await sampler.settle();
    const into = numberFeeds(settled, "settled", [rows, config.kvHeads, count, config.headSize]);
    await session.run(recentFeeds(config, recent), into);
  }
  sampler.memory.give(recent.memory);
  return settled;
}
