/**
 * Keys and values of a batch of growing rows, kept as plain arrays that are fed to the graph without a copy.
 * Row b holds lengths[b] entries; the rest of its capacity is masked.
 */
import type { Feed } from "../../../graph/index.ts";
import type { CacheShape, KeptNumbers, KvNode } from "./kv-store.ts";
import type { MemoryPool } from "./memory-pool.ts";

/** Capacity grows in steps of this many entries: each growth copies the cache, each spare entry costs attention. */
const GROWTH = 16;

export interface KvCache {
  lengths: number[];
  /** Length of what comes before each row's entries and is kept elsewhere (shared-prefix.ts). */
  starts: number[];
  capacity: number;
  /** All layers' numbers. */
  memory: Float32Array;
  /** One part of the memory per layer. // [B, K, capacity, D] */
  keys: Float32Array[];
  values: Float32Array[];
  /** Ended rows that others may go on from: kept sequences whose numbers still lie here. */
  kept: KvNode[];
}

/** A row of a new cache: one of an older cache, or a kept sequence, or what of it follows one of its ancestors. */
export type RowSource =
  | { cache: KvCache; row: number }
  | { node: KvNode | undefined; after?: KvNode | undefined };

/** A graph's outputs of one layer: each new token's key and value heads. // [N, K, D] */
export interface Heads {
  keys: Float32Array;
  values: Float32Array;
}

/** A cache of rows copied from their sources, with room for at least `entries` each. */
export function assembleCache(
  shape: CacheShape,
  sources: readonly RowSource[],
  entries: number,
  memoryPool?: MemoryPool,
): KvCache {
  const capacity = Math.ceil(entries / GROWTH) * GROWTH;
  const cache = emptyCache(shape, sources.length, capacity, memoryPool);
  sources.forEach((source, row) => {
    if ("cache" in source) {
      copyRow(shape, cache, row, source.cache, source.row);
      cache.lengths.push(source.cache.lengths[source.row]!);
      cache.starts.push(source.cache.starts[source.row]!);
    } else {
      const start = source.after?.length ?? 0;
      copyNode(shape, cache, row, source.node, source.after);
      cache.lengths.push((source.node?.length ?? 0) - start);
      cache.starts.push(start);
    }
    clearSpare(shape, cache, row);
  });
  return cache;
}

function emptyCache(shape: CacheShape, rows: number, capacity: number, pool?: MemoryPool): KvCache {
  const size = rows * shape.kvHeads * capacity * shape.headSize;
  const total = 2 * shape.layers * size;
  const memory = pool ? pool.take(total) : new Float32Array(total);
  const perLayer = (first: number) =>
    Array.from({ length: shape.layers }, (_, layer) =>
      memory.subarray((first + layer) * size, (first + layer + 1) * size),
    );
  return {
    lengths: [],
    starts: [],
    capacity,
    memory,
    keys: perLayer(0),
    values: perLayer(shape.layers),
    kept: [],
  };
}

/** Used memory holds anything, and what is masked is still multiplied: by 0, which needs a finite number. */
function clearSpare({ kvHeads, headSize }: CacheShape, cache: KvCache, row: number) {
  for (const array of [...cache.keys, ...cache.values]) {
    for (let head = 0; head < kvHeads; head++) {
      const start = (row * kvHeads + head) * cache.capacity;
      array.fill(0, (start + cache.lengths[row]!) * headSize, (start + cache.capacity) * headSize);
    }
  }
}

function copyRow(
  { layers, kvHeads, headSize }: CacheShape,
  to: KvCache,
  row: number,
  from: KvCache,
  source: number,
) {
  const count = from.lengths[source]! * headSize;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) {
      const start = (source * kvHeads + head) * from.capacity * headSize;
      const place = (row * kvHeads + head) * to.capacity * headSize;
      to.keys[layer]!.set(from.keys[layer]!.subarray(start, start + count), place);
      to.values[layer]!.set(from.values[layer]!.subarray(start, start + count), place);
    }
  }
}

function copyNode(
  { layers, kvHeads, headSize }: CacheShape,
  to: KvCache,
  row: number,
  node: KvNode | undefined,
  after: KvNode | undefined,
) {
  for (let at = node; at && at !== after; at = at.parent) {
    const own = at.tokens.length * headSize;
    const before = at.length - at.tokens.length - (after?.length ?? 0);
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < kvHeads; head++) {
        const start = at.start + head * at.headStride;
        const place = ((row * kvHeads + head) * to.capacity + before) * headSize;
        to.keys[layer]!.set(at.keys[layer]!.subarray(start, start + own), place);
        to.values[layer]!.set(at.values[layer]!.subarray(start, start + own), place);
      }
    }
  }
}

/** Appends token n of a step's outputs to row n, for each of the named rows. */
export function appendTokens(
  shape: CacheShape,
  cache: KvCache,
  outputs: readonly Heads[],
  rows: readonly number[],
): void {
  outputs.forEach(({ keys, values }, layer) => {
    appendHeads(shape, cache, cache.keys[layer]!, keys, rows);
    appendHeads(shape, cache, cache.values[layer]!, values, rows);
  });
  for (const row of rows) cache.lengths[row]!++;
}

/** // from [N, K, D] to [N, K, capacity, D] */
function appendHeads(
  { kvHeads, headSize }: CacheShape,
  { capacity, lengths }: KvCache,
  to: Float32Array,
  from: Float32Array,
  rows: readonly number[],
) {
  for (const row of rows) {
    let source = row * kvHeads * headSize;
    for (let head = 0; head < kvHeads; head++) {
      const place = ((row * kvHeads + head) * capacity + lengths[row]!) * headSize;
      // a loop beats the allocation of views
      for (let i = 0; i < headSize; i++) to[place + i] = from[source++]!;
    }
  }
}

/** Keys and values of some tokens of a graph's outputs, in order, as a node of their own. // [K, tokens, D] per layer */
export function keepTokens(
  { kvHeads, headSize }: CacheShape,
  outputs: readonly Heads[],
  tokens: ArrayLike<number>,
): KeptNumbers {
  const take = (from: Float32Array) => {
    const taken = new Float32Array(kvHeads * tokens.length * headSize);
    let place = 0;
    for (let head = 0; head < kvHeads; head++) {
      for (let t = 0; t < tokens.length; t++) {
        const start = (tokens[t]! * kvHeads + head) * headSize;
        for (let i = 0; i < headSize; i++) taken[place++] = from[start + i]!;
      }
    }
    return taken;
  };
  return {
    keys: outputs.map(({ keys }) => take(keys)),
    values: outputs.map(({ values }) => take(values)),
    start: 0,
    headStride: tokens.length * headSize,
  };
}

/** A row's entries from position `position` on, where they lie: kv-store.ts takes care of the memory (`retire`). */
export function keepRow(
  { kvHeads, headSize }: CacheShape,
  { keys, values, capacity, starts }: KvCache,
  row: number,
  position: number,
): KeptNumbers {
  const skipped = position - starts[row]!;
  return {
    keys,
    values,
    start: (row * kvHeads * capacity + skipped) * headSize,
    headStride: capacity * headSize,
  };
}

const feedsOf = new WeakMap<KvCache, Record<string, Feed>>();

/** The same objects for as long as the cache lives, so that each is wrapped for the runtime once. */
export function cacheFeeds({ kvHeads, headSize }: CacheShape, cache: KvCache): Record<string, Feed> {
  let feeds = feedsOf.get(cache);
  if (!feeds) {
    feeds = {};
    const dims = [cache.lengths.length, kvHeads, cache.capacity, headSize];
    for (const [layer, data] of cache.keys.entries()) {
      feeds[`past_keys.${layer}`] = { data, dims };
      feeds[`past_values.${layer}`] = { data: cache.values[layer]!, dims };
    }
    feedsOf.set(cache, feeds);
  }
  return feeds;
}
