/**
 * A prefix tree as the inputs of tree attention: slots for each level's segments, padded to one shape, and the rows that
 * go into and come out of them. Linear layers see the packed tokens, which are not padded.
 */
import type { Feed } from "../../../graph/index.ts";
import { maskWindows, type Windowed } from "../../../model/window.ts";
import { int64 } from "../weights.ts";
import { levelMask, type Places } from "./masks.ts";
import type { PrefixTree, Segment } from "./prefix-tree.ts";

/** The packed tokens are rounded up to this with spare ones, so that the runtime's memory pool sees few shapes. */
const TOKEN_STEP = 16;

interface Level extends Places {
  /** Token of each slot, −1 where there is none. // [places · width] */
  tokens: Int32Array;
}

export interface TreeSlots {
  roots: number;
  levels: Level[];
  /** Packed tokens, spare ones included. */
  tokens: number;
  /** Slot of each token, counting all levels' slots in order; spare tokens have one that is nobody else's. // [tokens] */
  slots: Int32Array;
}

/** Gives every segment a place in its level, children of one parent side by side. */
export function placeSegments({ segments, tokens }: PrefixTree): TreeSlots {
  const depth = 1 + Math.max(...segments.map(({ level }) => level));
  const children = segments.map((): number[] => []);
  const roots: number[] = [];
  segments.forEach(({ parent }, s) => void (parent < 0 ? roots : children[parent]!).push(s));

  const levels: Level[] = [];
  let places: (number | undefined)[] = roots; // segment in each place of the level
  for (let level = 0; level < depth; level++) {
    if (level > 0) {
      const most = Math.max(...places.map((s) => (s === undefined ? 0 : children[s]!.length)));
      places = places.flatMap((s) =>
        Array.from({ length: most }, (_, i) => (s === undefined ? s : children[s]![i])),
      );
    }
    const branches =
      level === 0 ? [] : [...levels[level - 1]!.branches, places.length / levels[level - 1]!.places];
    levels.push({ branches, ...fillLevel(segments, places) });
  }
  return { roots: roots.length, levels, ...slotTokens(levels, tokens.length) };
}

function fillLevel(
  segments: readonly Segment[],
  places: readonly (number | undefined)[],
): Omit<Level, "branches"> {
  const found = places.map((s) => (s === undefined ? undefined : segments[s]!));
  const width = Math.max(...found.map((segment) => segment?.length ?? 0));
  const tokens = new Int32Array(places.length * width).fill(-1);
  found.forEach((segment, place) => {
    if (!segment) return;
    for (let t = 0; t < segment.length; t++) tokens[place * width + t] = segment.start + t;
  });
  return {
    places: places.length,
    width,
    lengths: Int32Array.from(found, (segment) => segment?.length ?? 0),
    tokens,
  };
}

/** Where there are empty slots, the last packed token is a spare one that fills them all; without them there is none. */
function slotTokens(levels: readonly Level[], count: number): Pick<TreeSlots, "tokens" | "slots"> {
  const total = levels.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const tokens = total === count ? count : Math.ceil((count + 1) / TOKEN_STEP) * TOKEN_STEP;
  const slots = new Int32Array(tokens);
  let empty = 0;
  let slot = 0;
  for (const level of levels) {
    for (const token of level.tokens) {
      if (token < 0) empty = slot;
      else slots[token] = slot;
      slot++;
    }
  }
  slots.fill(empty, count);
  return { tokens, slots };
}

/** The inputs of treeLayoutInputs for a model. */
export function layoutFeeds(
  slots: TreeSlots,
  model: HeadCounts & Windowed,
  { back }: { back: boolean },
): Record<string, Feed> {
  const feeds = indexFeeds(slots, model, { back });
  for (const [name, window] of maskWindows(model)) {
    slots.levels.forEach((_, l) => {
      feeds[`${name}.${l}`] = levelMask(slots.roots, slots.levels, l, window);
    });
  }
  return feeds;
}

/** B rows of T tokens each, without padding. */
export function placeRows(rows: number, width: number): TreeSlots {
  const tokens = new Int32Array(rows * width).map((_, i) => i);
  const lengths = new Int32Array(rows).fill(width);
  return {
    roots: rows,
    levels: [{ branches: [], places: rows, width, lengths, tokens }],
    tokens: tokens.length,
    slots: tokens,
  };
}

export interface HeadCounts {
  heads: number;
  kvHeads: number;
}

/** All but the masks. */
export function indexFeeds(
  slots: TreeSlots,
  counts: HeadCounts,
  { back }: { back: boolean },
): Record<string, Feed> {
  const feeds = tokenFeeds(slots, counts, back);
  slots.levels.forEach((level, l) => {
    for (const [name, feed] of Object.entries(levelFeeds(slots, level, counts, back)))
      feeds[`${name}.${l}`] = feed;
  });
  return feeds;
}

/** Where a level's slots find their heads among the tokens'; empty ones take the spare token's. */
function levelFeeds(
  { roots, tokens }: TreeSlots,
  level: Level,
  { heads, kvHeads }: HeadCounts,
  back: boolean,
): Record<string, Feed> {
  const { branches, width, tokens: tokensOfSlots } = level;
  const [shared, perToken] = [heads / kvHeads, heads + 2 * kvHeads];
  const rows = (count: number) => new Int32Array(tokensOfSlots.length * count);
  const [queries, outputs, keys, values] = [rows(heads), rows(heads), rows(kvHeads), rows(kvHeads)];
  tokensOfSlots.forEach((found, slot) => {
    const token = found < 0 ? tokens - 1 : found;
    const t = slot % width;
    for (let key = 0; key < kvHeads; key++) {
      const block = blockOf(roots, level, kvHeads, Math.floor(slot / width), key);
      keys[block * width + t] = token * perToken + heads + key;
      values[block * width + t] = token * perToken + heads + kvHeads + key;
      for (let g = 0; g < shared; g++) {
        const row = (block * shared + g) * width + t;
        queries[row] = token * perToken + key * shared + g;
        outputs[row] = token * heads + key * shared + g;
      }
    }
  });
  const lead = [roots, kvHeads, ...branches];
  const feed = (array: Int32Array, dims: number[]): Feed => ({ data: int64(array), dims });
  return {
    queries: feed(queries, [...lead, shared, width]),
    keys: feed(keys, [...lead, width]),
    values: feed(values, [...lead, width]),
    ...(back && { outputs: feed(outputs, [...lead, shared, width]) }),
  };
}

/** Where the tokens' heads find theirs among the slots' outputs (`mixed`) and derivatives (`table`). */
function tokenFeeds(
  { roots, levels, tokens, slots }: TreeSlots,
  { heads, kvHeads }: HeadCounts,
  back: boolean,
): Record<string, Feed> {
  const [shared, perToken] = [heads / kvHeads, heads + 2 * kvHeads];
  const starts = levelStarts(levels);
  const slotCount = starts.at(-1)!;
  const mixed = new Int32Array(tokens * heads);
  const table = new Int32Array(tokens * perToken);
  slots.forEach((slot, token) => {
    const l = starts.findLastIndex((start) => start <= slot);
    const level = levels[l]!;
    const place = Math.floor((slot - starts[l]!) / level.width);
    const t = (slot - starts[l]!) % level.width;
    for (let key = 0; key < kvHeads; key++) {
      const block = blockOf(roots, level, kvHeads, place, key);
      const keyRow = starts[l]! * kvHeads + block * level.width + t;
      table[token * perToken + heads + key] = slotCount * heads + keyRow;
      table[token * perToken + heads + kvHeads + key] = slotCount * (heads + kvHeads) + keyRow;
      for (let g = 0; g < shared; g++) {
        const queryRow = starts[l]! * heads + (block * shared + g) * level.width + t;
        mixed[token * heads + key * shared + g] = queryRow;
        table[token * perToken + key * shared + g] = queryRow;
      }
    }
  });
  return {
    mixed: { data: int64(mixed), dims: [tokens, heads] },
    ...(back && { table: { data: int64(table), dims: [tokens * perToken] } }),
  };
}

/** Index of a place's run of tokens for one key head in [B, K, C1…Cl]: key heads come before branches. */
function blockOf(roots: number, { places }: Level, kvHeads: number, place: number, key: number): number {
  const below = places / roots;
  return (Math.floor(place / below) * kvHeads + key) * below + (place % below);
}

/** Number of slots above each level, and of all. */
function levelStarts(levels: readonly Level[]): number[] {
  const starts = [0];
  for (const { tokens } of levels) starts.push(starts.at(-1)! + tokens.length);
  return starts;
}
