/**
 * Keys and values of a batch of rows, kept as plain arrays that are fed to the graphs without a copy. Row b's entries are
 * the last lengths[b] of its capacity; what comes before them is masked.
 */
import type { Feed } from "../../../graph/index.ts";
import type { KvNode } from "./kv-store.ts";
import type { MemoryPool } from "./memory-pool.ts";
import {
  type CacheShape,
  copyEntries,
  type Entries,
  type KeptNumbers,
  type Numbers,
  numberFeeds,
  takeNumbers,
} from "./numbers.ts";

/** Entries of rows, as many for each. // [B, K, capacity, D] */
export interface RowEntries extends Numbers {
  capacity: number;
}

export interface KvCache extends RowEntries {
  lengths: number[];
  /** Length of what comes before each row's entries and is kept elsewhere (shared-prefix.ts). */
  starts: number[];
}

/** A row of a cache to be made. */
export interface RowSource {
  entries: readonly Entries[];
  start: number;
}

/** Is there anything in it that a row sees? */
export const hasEntries = ({ lengths }: KvCache) => lengths.some((length) => length > 0);

/** A kept sequence, or what of it follows one of its ancestors. */
export function sourceOf(node: KvNode | undefined, after?: KvNode): RowSource {
  const entries: Entries[] = [];
  for (let at = node; at && at !== after; at = at.parent) {
    const { keys, values, start, headStride, tokens } = at;
    entries.unshift({ keys, values, start, headStride, length: tokens.length });
  }
  return { entries, start: after?.length ?? 0 };
}

/** A cache of rows copied from their sources, as long as the longest, and of one entry at least. */
export function assembleCache(
  shape: CacheShape,
  sources: readonly RowSource[],
  take?: MemoryPool["take"],
): KvCache {
  const lengths = sources.map(({ entries }) => entries.reduce((sum, { length }) => sum + length, 0));
  const capacity = Math.max(1, ...lengths);
  const size = sources.length * shape.kvHeads * capacity * shape.headSize;
  const starts = sources.map(({ start }) => start);
  const cache = { ...takeNumbers(shape, size, take), lengths, starts, capacity };
  sources.forEach(({ entries }, row) => {
    let place = capacity - lengths[row]!;
    clearBefore(shape, cache, row, place);
    for (const part of entries) {
      copyEntries(shape, part, entriesOf(shape, cache, row, place));
      place += part.length;
    }
  });
  return cache;
}

/** Used memory holds anything, and what is masked is still multiplied: by 0, which needs a finite number. */
function clearBefore({ kvHeads, headSize }: CacheShape, cache: KvCache, row: number, place: number) {
  if (place === 0) return;
  for (const array of [...cache.keys, ...cache.values]) {
    for (let head = 0; head < kvHeads; head++) {
      const start = (row * kvHeads + head) * cache.capacity * headSize;
      array.fill(0, start, start + place * headSize);
    }
  }
}

/** A row's entries from the `first` of its capacity on, where they lie: kv-store.ts takes care of the memory (`retire`). */
export function entriesOf(
  { kvHeads, headSize }: CacheShape,
  { keys, values, capacity }: RowEntries,
  row: number,
  first: number,
): KeptNumbers {
  const start = (row * kvHeads * capacity + first) * headSize;
  return { keys, values, start, headStride: capacity * headSize };
}

const feedsOf = new WeakMap<KvCache, Record<string, Feed>>();

/**
 * Inputs `name_keys.i`, `name_values.i`. The same objects for as long as the cache lives, so that each is wrapped for the runtime
 * once: a cache goes by one name.
 */
export function cacheFeeds(
  { kvHeads, headSize }: CacheShape,
  cache: KvCache,
  name: "past" | "shared",
): Record<string, Feed> {
  let feeds = feedsOf.get(cache);
  if (!feeds) {
    feeds = numberFeeds(cache, name, [cache.lengths.length, kvHeads, cache.capacity, headSize]);
    feedsOf.set(cache, feeds);
  }
  return feeds;
}
