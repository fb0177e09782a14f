/**
 * Beginnings that rows of a batch have in common: their keys and values are kept and read once for all of a group's
 * rows, and each row's own cache holds only what follows.
 */
import type { Feed } from "../../../graph/index.ts";
import { int64 } from "../weights.ts";
import { assembleCache, cacheFeeds, sourceOf } from "./kv-cache.ts";
import type { KvNode } from "./kv-store.ts";
import type { MemoryPool } from "./memory-pool.ts";
import type { CacheShape } from "./numbers.ts";

/** Entries that a batch must save for groups to be worth their extra nodes. Arbitrary, not tuned. */
const WORTHWHILE = 512;

export interface SharedPrefixes {
  /** Longest of them. */
  width: number;
  /** Of their entries: its owner gives it back. */
  memory: Float32Array;
  /** The inputs that sampling-graph.ts declares for groups. */
  feeds: Record<string, Feed>;
}

/** For each row the kept sequence that it should share with others, or none. */
export function chooseShared(prompts: readonly (KvNode | undefined)[]): (KvNode | undefined)[] {
  const users = new Map<KvNode, number>();
  for (const prompt of prompts) {
    for (let node = prompt; node; node = node.parent) users.set(node, (users.get(node) ?? 0) + 1);
  }
  const savedBy = (node: KvNode) => node.length * (1 - 1 / users.get(node)!);
  let total = 0;
  const chosen = prompts.map((prompt) => {
    let best: KvNode | undefined;
    for (let node = prompt; node; node = node.parent) {
      if (savedBy(node) > (best ? savedBy(best) : 0)) best = node;
    }
    if (best) total += savedBy(best);
    return best;
  });
  return total >= WORTHWHILE ? chosen : prompts.map(() => undefined);
}

/** Groups of rows by what they share; undefined when no row shares anything. Each row adds `width` tokens at once. */
export function gatherShared(
  shape: CacheShape & { heads: number },
  shared: readonly (KvNode | undefined)[],
  take: MemoryPool["take"],
  width = 1,
): SharedPrefixes | undefined {
  const nodes = [...new Set(shared)].filter((node) => node !== undefined);
  if (nodes.length === 0) return undefined;
  const indexOf = new Map(nodes.map((node, g) => [node, g]));
  const members = nodes.map((): number[] => []);
  shared.forEach((node, row) => {
    if (node) members[indexOf.get(node)!]!.push(row);
  });
  // A row without a beginning sees nothing of any group's, but must have a place where it does not.
  shared.forEach((node, row) => {
    if (!node) members.reduce((a, b) => (b.length < a.length ? b : a)).push(row);
  });
  const most = Math.max(...members.map(({ length }) => length));
  const sources = nodes.map((node) => sourceOf(node));
  const cache = assembleCache(shape, sources, take);
  const feeds = {
    ...groupFeeds(shape, members, { most, rows: shared.length, width }),
    ...cacheFeeds(shape, cache, "shared"),
  };
  return { width: cache.capacity, memory: cache.memory, feeds };
}

/**
 * Between rows and groups, places beyond a group's members taking any row: `group_queries` and `group_rows`
 * [groups, K, most · width, G] index the heads of all tokens ([B·width, H+2K]) and the rows' queries ([B, K, G, width]);
 * `row_groups` [B, K, G, width] indexes the groups' places.
 */
function groupFeeds(
  { heads, kvHeads }: { heads: number; kvHeads: number },
  members: readonly (readonly number[])[],
  { most, rows, width }: { most: number; rows: number; width: number },
): Record<string, Feed> {
  const perKey = heads / kvHeads;
  const size = members.length * kvHeads * most * width * perKey;
  const [queries, groupRows] = [new Int32Array(size), new Int32Array(size)];
  const rowGroups = new Int32Array(rows * heads * width);
  let place = 0;
  for (const group of members) {
    for (let key = 0; key < kvHeads; key++) {
      for (let m = 0; m < most * width; m++) {
        const member = group[Math.floor(m / width)];
        const [row, t] = [member ?? 0, m % width];
        for (let head = key * perKey; head < (key + 1) * perKey; head++, place++) {
          queries[place] = (row * width + t) * (heads + 2 * kvHeads) + head;
          groupRows[place] = (row * heads + head) * width + t;
          if (member !== undefined) rowGroups[groupRows[place]!] = place;
        }
      }
    }
  }
  const dims = [members.length, kvHeads, most * width, perKey];
  return {
    group_queries: { data: int64(queries), dims },
    group_rows: { data: int64(groupRows), dims },
    row_groups: { data: int64(rowGroups), dims: [rows, kvHeads, perKey, width] },
  };
}
