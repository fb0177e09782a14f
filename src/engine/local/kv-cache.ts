/**
 * Keys and values of a batch of growing rows, kept as plain arrays that are fed to the graph without a copy.
 * Row b holds lengths[b] entries; the rest of its capacity is zero and masked.
 */
import type { Feed } from "../../graph/index.ts";
import type { ModelConfig } from "../../model/config.ts";

/** Capacity grows in steps of this many entries: each growth copies the cache, each spare entry costs attention. */
const GROWTH = 16;

/** Scores of masked entries: e^(this − anything) is exactly 0. */
const MASKED = -1e30;

export interface KvCache {
  lengths: number[];
  capacity: number;
  /** One array per layer. // [B, K, capacity, D] */
  keys: Float32Array[];
  values: Float32Array[];
}

type Shape = Pick<ModelConfig, "layers" | "kvHeads" | "headSize">;

export function createKvCache(config: Shape, rows: number, entries: number): KvCache {
  const capacity = Math.ceil(entries / GROWTH) * GROWTH;
  const size = rows * config.kvHeads * capacity * config.headSize;
  const perLayer = () => Array.from({ length: config.layers }, () => new Float32Array(size));
  return { lengths: new Array(rows).fill(0), capacity, keys: perLayer(), values: perLayer() };
}

/**
 * Appends the first `count` new entries of row `from` of a graph's output [B', K, T, D] to row `to` of the cache,
 * in one layer. The caller advances `lengths` once all layers are written.
 */
export function writeRow(
  config: Shape,
  cache: KvCache,
  target: Float32Array,
  to: number,
  output: Float32Array,
  from: number,
  width: number,
  count: number,
): void {
  const { kvHeads, headSize } = config;
  for (let head = 0; head < kvHeads; head++) {
    const source = (from * kvHeads + head) * width * headSize;
    const place = ((to * kvHeads + head) * cache.capacity + cache.lengths[to]!) * headSize;
    if (count > 1) {
      target.set(output.subarray(source, source + count * headSize), place);
    } else {
      // One entry: a loop beats the allocation of a view.
      for (let i = 0; i < headSize; i++) target[place + i] = output[source + i]!;
    }
  }
}

/** The chosen rows in a new cache with room for at least `entries` each. */
export function copyRows(config: Shape, cache: KvCache, rows: readonly number[], entries: number): KvCache {
  const copy = createKvCache(config, rows.length, entries);
  const { kvHeads, headSize } = config;
  for (let layer = 0; layer < config.layers; layer++) {
    for (const part of ["keys", "values"] as const) {
      const source = cache[part][layer]!;
      const target = copy[part][layer]!;
      rows.forEach((row, to) => {
        const length = cache.lengths[row]! * headSize;
        for (let head = 0; head < kvHeads; head++) {
          const start = (row * kvHeads + head) * cache.capacity * headSize;
          target.set(
            source.subarray(start, start + length),
            (to * kvHeads + head) * copy.capacity * headSize,
          );
        }
      });
    }
  }
  copy.lengths = rows.map((row) => cache.lengths[row]!);
  return copy;
}

/** What a one-token-per-row step may see: each row's own entries and its new token. // [B, 1, 1, capacity + 1] */
export function stepMask(cache: KvCache): Feed {
  const width = cache.capacity + 1;
  const rows = cache.lengths.length;
  const mask = new Float32Array(rows * width).fill(MASKED);
  cache.lengths.forEach((length, row) => {
    mask.fill(0, row * width, row * width + length);
    mask[row * width + cache.capacity] = 0;
  });
  return { data: mask, dims: [rows, 1, 1, width] };
}

export function cacheFeeds(config: Shape, cache: KvCache): Record<string, Feed> {
  const dims = [cache.lengths.length, config.kvHeads, cache.capacity, config.headSize];
  const feeds: Record<string, Feed> = {};
  for (let layer = 0; layer < config.layers; layer++) {
    feeds[`past_keys.${layer}`] = { data: cache.keys[layer]!, dims };
    feeds[`past_values.${layer}`] = { data: cache.values[layer]!, dims };
  }
  return feeds;
}
