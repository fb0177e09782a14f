/**
 * Keys and values of a batch of growing rows, kept as plain arrays that are fed to the graph without a copy.
 * Row b holds lengths[b] entries; the rest of its capacity is masked.
 */
import type { Feed } from "../../graph/index.ts";
import type { CacheShape, KvNode } from "./kv-store.ts";
import type { MemoryPool } from "./memory-pool.ts";
import { MASKED } from "./tree-layout.ts";

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
}

/** A row of a new cache: one of an older cache, or a kept sequence, or what of it follows one of its ancestors. */
export type RowSource =
  | { cache: KvCache; row: number }
  | { node: KvNode | undefined; after?: KvNode | undefined };

/** A graph's output of one layer: each token's query, key and value heads. // [N, H+2K, D] */
export interface Heads {
  data: Float32Array;
  heads: number;
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
    const own = at.tokens.length;
    const before = at.length - own - (after?.length ?? 0);
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < kvHeads; head++) {
        const start = head * own * headSize;
        const place = ((row * kvHeads + head) * to.capacity + before) * headSize;
        to.keys[layer]!.set(at.keys[layer]!.subarray(start, start + own * headSize), place);
        to.values[layer]!.set(at.values[layer]!.subarray(start, start + own * headSize), place);
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
  outputs.forEach((output, layer) => {
    for (const row of rows) appendToken(shape, cache, layer, row, output);
  });
  for (const row of rows) cache.lengths[row]!++;
}

function appendToken(
  { kvHeads, headSize }: CacheShape,
  { keys, values, capacity, lengths }: KvCache,
  layer: number,
  row: number,
  { data, heads }: Heads,
) {
  const [toKeys, toValues] = [keys[layer]!, values[layer]!];
  const valueAfterKey = kvHeads * headSize;
  let from = (row * (heads + 2 * kvHeads) + heads) * headSize;
  for (let head = 0; head < kvHeads; head++) {
    const place = ((row * kvHeads + head) * capacity + lengths[row]!) * headSize;
    // a loop beats the allocation of views
    for (let i = 0; i < headSize; i++, from++) {
      toKeys[place + i] = data[from]!;
      toValues[place + i] = data[from + valueAfterKey]!;
    }
  }
}

/** Keys and values of some tokens of a graph's outputs, in order, as a node keeps them. // [K, tokens, D] per layer */
export function keepTokens(
  shape: CacheShape,
  outputs: readonly Heads[],
  tokens: ArrayLike<number>,
): Pick<KvNode, "keys" | "values"> {
  const { kvHeads, headSize } = shape;
  const take = (output: Heads, first: number) => {
    const taken = new Float32Array(kvHeads * tokens.length * headSize);
    const perToken = output.heads + 2 * kvHeads;
    let place = 0;
    for (let head = 0; head < kvHeads; head++) {
      for (let t = 0; t < tokens.length; t++) {
        const start = (tokens[t]! * perToken + first + head) * headSize;
        for (let i = 0; i < headSize; i++) taken[place++] = output.data[start + i]!;
      }
    }
    return taken;
  };
  return {
    keys: outputs.map((output) => take(output, output.heads)),
    values: outputs.map((output) => take(output, output.heads + kvHeads)),
  };
}

/** A row's entries from position `start` on as a node keeps them. // [K, own, D] per layer */
export function keepRow(
  shape: CacheShape,
  cache: KvCache,
  row: number,
  start: number,
): Pick<KvNode, "keys" | "values"> {
  const { kvHeads, headSize } = shape;
  const skipped = start - cache.starts[row]!;
  const own = (cache.lengths[row]! - skipped) * headSize;
  const take = (layer: Float32Array) => {
    const taken = new Float32Array(kvHeads * own);
    for (let head = 0; head < kvHeads; head++) {
      const from = ((row * kvHeads + head) * cache.capacity + skipped) * headSize;
      taken.set(layer.subarray(from, from + own), head * own);
    }
    return taken;
  };
  return { keys: cache.keys.map(take), values: cache.values.map(take) };
}

/**
 * What `width` new tokens of each row may see: of `shared` entries the row's own many, the row's own entries, and each
 * other up to themselves. // [B, 1, 1, width, shared + capacity + width]
 */
export function extendMask({ lengths, starts, capacity }: KvCache, width: number, shared = 0): Feed {
  const columns = shared + capacity + width;
  const mask = new Float32Array(lengths.length * width * columns);
  lengths.forEach((length, row) => {
    for (let t = 0; t < width; t++) {
      const first = (row * width + t) * columns;
      const own = first + shared;
      if (shared > 0) mask.fill(MASKED, first + starts[row]!, own);
      mask.fill(MASKED, own + length, own + capacity);
      mask.fill(MASKED, own + capacity + t + 1, first + columns);
    }
  });
  return { data: mask, dims: [lengths.length, 1, 1, width, columns] };
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
