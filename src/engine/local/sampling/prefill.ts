/**
 * Keys and values of prompts, before anything is sampled. What is kept from earlier samples is not computed again, and
 * of what is new each distinct prefix is computed once.
 */
import type { Feed, Feeds, Session } from "../../../graph/index.ts";
import { maskWindows } from "../../../model/window.ts";
import { extendMask } from "../prefixes/masks.ts";
import { treeRuns } from "../prefixes/runs.ts";
import { indexFeeds, layoutFeeds, placeRows } from "../prefixes/tree-layout.ts";
import { rotationFeeds } from "../training/passes.ts";
import { int64, type Weights } from "../weights.ts";
import { assembleCache, cacheFeeds, entriesOf, type KvCache, type RowEntries, sourceOf } from "./kv-cache.ts";
import type { KvNode, KvStore } from "./kv-store.ts";
import type { MemoryPool } from "./memory-pool.ts";
import { numberFeeds, takeNumbers } from "./numbers.ts";
import { chooseShared, gatherShared, type SharedPrefixes } from "./shared-prefix.ts";

/** Padded tokens of one pass over kept sequences. Arbitrary, not tuned. */
const TOKENS_PER_PASS = 8192;

export interface Sampler {
  weights: Weights;
  feeds: Record<string, Feed>;
  store: KvStore;
  memory: MemoryPool;
  /** prefillGraph for trees of so many levels. */
  prefill(levels: number): Promise<Session>;
  /** extendGraph. */
  extend(options: { shared: boolean }): Promise<Session>;
  /** stepGraph, for so many rows now, and never more than a few. */
  step(options: { shared: boolean; past: boolean; rows: number; isFew: boolean }): Promise<Session>;
  /** settleGraph. */
  settle(options: { isFew: boolean }): Promise<Session>;
  /** Counts what was computed, for tests and benchmarks. */
  computed: { prefillTokens: number; decodedTokens: number };
}

/** A prompt whose beginning is kept. */
interface Continuation {
  node: KvNode;
  rest: Int32Array;
}

/** For each prompt the kept sequence of all its tokens but the last, which the first step of decoding computes. */
export async function prefillPrompts(
  sampler: Sampler,
  prompts: readonly (readonly number[])[],
): Promise<(KvNode | undefined)[]> {
  const distinct = new Map<string, Int32Array>();
  const keys = prompts.map((prompt) => prompt.slice(0, -1).join());
  prompts.forEach((prompt, i) => void distinct.set(keys[i]!, Int32Array.from(prompt.slice(0, -1))));
  const nodes = new Map<string, KvNode | undefined>();
  const fresh: [key: string, tokens: Int32Array][] = [];
  const continued: [key: string, continuation: Continuation][] = [];
  for (const [key, tokens] of distinct) {
    const node = sampler.store.find(tokens, tokens.length);
    if (node?.length === tokens.length || tokens.length === 0) nodes.set(key, node);
    else if (node) continued.push([key, { node, rest: tokens.subarray(node.length) }]);
    else fresh.push([key, tokens]);
  }
  const freshNodes = await prefillFresh(
    sampler,
    fresh.map(([, tokens]) => tokens),
  );
  fresh.forEach(([key], i) => void nodes.set(key, freshNodes[i]!));
  const continuedNodes = await prefillContinued(
    sampler,
    continued.map(([, continuation]) => continuation),
  );
  continued.forEach(([key], i) => void nodes.set(key, continuedNodes[i]!));
  return keys.map((key) => nodes.get(key));
}

/** Sequences of which nothing is kept, as prefix trees. */
async function prefillFresh(sampler: Sampler, sequences: readonly Int32Array[]): Promise<KvNode[]> {
  const { store } = sampler;
  const { config } = sampler.weights;
  const nodes: KvNode[] = new Array(sequences.length);
  for (const { indices, tree, slots } of treeRuns(sequences)) {
    const tokens = new Int32Array(slots.tokens);
    tokens.set(tree.tokens);
    const session = await sampler.prefill(slots.levels.length);
    const { entries, into } = roomFor(sampler, tokens.length);
    const feeds = {
      tokens: { data: int64(tokens), dims: [tokens.length] },
      ...rotationFeeds(config, tree.positions, tokens.length),
      ...layoutFeeds(slots, config, { back: false }),
    };
    await session.run([feeds, sampler.feeds], into);
    sampler.computed.prefillTokens += tree.tokens.length;
    const segments: KvNode[] = [];
    const kept: KvNode[] = [];
    const keep = (parent: number, start: number, length: number) => {
      const some = tree.tokens.slice(start, start + length);
      const numbers = entriesOf(config, entries, 0, start);
      const node = store.add({ parent: segments[parent], tokens: some, ...numbers });
      kept.push(node);
      return node;
    };
    for (const { parent, start, length } of tree.segments) segments.push(keep(parent, start, length));
    const segmentAt = new Int32Array(tree.tokens.length);
    tree.segments.forEach(({ start, length }, s) => void segmentAt.fill(s, start, start + length));
    indices.forEach((index, i) => {
      const last = tree.places[i]!.at(-1)!;
      const s = segmentAt[last]!;
      const { parent, start, length } = tree.segments[s]!;
      // a sequence that is the beginning of another may end inside a segment
      nodes[index] = last === start + length - 1 ? segments[s]! : keep(parent, start, last + 1 - start);
    });
    store.retire({ memory: entries.memory, kept });
  }
  return nodes;
}

/** New tokens after kept sequences, rows of like length together. */
async function prefillContinued(sampler: Sampler, items: readonly Continuation[]): Promise<KvNode[]> {
  const { memory } = sampler;
  const { config } = sampler.weights;
  const nodes: KvNode[] = new Array(items.length);
  const order = [...items.keys()].sort((a, b) => items[b]!.rest.length - items[a]!.rest.length || a - b);
  for (let start = 0; start < order.length; ) {
    const width = items[order[start]!]!.rest.length;
    const part = order.slice(start, start + Math.max(1, Math.floor(TOKENS_PER_PASS / width)));
    start += part.length;
    const chosen = chooseShared(part.map((i) => items[i]!.node));
    const sources = part.map((i, row) => sourceOf(items[i]!.node, chosen[row]));
    const cache = assembleCache(config, sources, memory.take);
    const shared = gatherShared(config, chosen, memory.take, width);
    const columns = Array.from({ length: width }, (_, t) => part.map((i) => items[i]!.rest[t] ?? 0));
    const entries = await extendRows(sampler, { cache, shared }, columns);
    memory.give(cache.memory);
    if (shared) memory.give(shared.memory);
    const kept = part.map((i, row) => {
      const { node, rest } = items[i]!;
      const numbers = entriesOf(config, entries, 0, row * width);
      nodes[i] = sampler.store.add({ parent: node, tokens: rest.slice(), ...numbers });
      return nodes[i]!;
    });
    sampler.store.retire({ memory: entries.memory, kept });
  }
  return nodes;
}

/** Rows that grow: their own caches, and what groups of them share. */
export interface GrowingRows {
  cache: KvCache;
  shared: SharedPrefixes | undefined;
}

/** What stays the same from step to step. */
export function lastingFeeds({ weights, feeds }: Sampler, { cache, shared }: GrowingRows): Feeds[] {
  return [cacheFeeds(weights.config, cache, "past"), shared?.feeds ?? {}, feeds];
}

/** A pass of new tokens over caches: `columns[t][row]`. Returns the entries of token row · T + t. */
async function extendRows(
  sampler: Sampler,
  { cache, shared }: GrowingRows,
  columns: readonly (readonly number[])[],
): Promise<RowEntries> {
  const { weights } = sampler;
  const [rows, width] = [cache.lengths.length, columns.length];
  const count = rows * width;
  const tokens = new Int32Array(count);
  const positions = new Int32Array(count);
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < width; t++) {
      tokens[row * width + t] = columns[t]![row]!;
      positions[row * width + t] = cache.starts[row]! + cache.lengths[row]! + t;
    }
  }
  const session = await sampler.extend({ shared: shared !== undefined });
  const { entries, into } = roomFor(sampler, count);
  const feeds = {
    tokens: { data: int64(tokens), dims: [count] },
    ...rotationFeeds(weights.config, positions, count),
    ...indexFeeds(placeRows(rows, width), weights.config, { back: false }),
    ...masksOf(weights, (window) => extendMask(cache, { width, window, shared: shared?.width }), ".0"),
  };
  await session.run([feeds, ...lastingFeeds(sampler, { cache, shared })], into);
  sampler.computed.prefillTokens += count;
  return entries;
}

/** Where the outputs `new_keys.i`, `new_values.i` for so many tokens go, and these as the entries of one row. // [K, tokens, 1, D] */
function roomFor(
  { weights: { config }, memory }: Sampler,
  tokens: number,
): { entries: RowEntries; into: Record<string, Feed> } {
  const numbers = takeNumbers(config, config.kvHeads * tokens * config.headSize, memory.take);
  return {
    entries: { ...numbers, capacity: tokens },
    into: numberFeeds(numbers, "new", [config.kvHeads, tokens, 1, config.headSize]),
  };
}

/** The masks of layers with and without a window. */
export function masksOf(
  { config }: Weights,
  mask: (window: number) => Feed,
  level = "",
): Record<string, Feed> {
  return Object.fromEntries(maskWindows(config).map(([name, window]) => [`${name}${level}`, mask(window)]));
}
