/**
 * A prefix tree as the inputs of tree attention: slots for each level's segments, padded to one shape, and the rows that
 * go into and come out of them. Linear layers see the packed tokens, which are not padded.
 */
import type { Feed } from "../../graph/index.ts";
import type { PrefixTree, Segment } from "./prefix-tree.ts";
import { int64 } from "./weights.ts";

/** Scores of what may not be seen: e^(this − anything) is exactly 0. */
export const MASKED = -1e30;

/** The packed tokens are rounded up to this with spare ones, so that the runtime's memory pool sees few shapes. */
const TOKEN_STEP = 16;

interface Level {
  /** Branches of each segment above, for each level from the first down to this one. */
  branches: number[];
  /** Segments with a place: B · branches. */
  places: number;
  /** Longest segment. */
  width: number;
  /** Length of the segment in each place, 0 where there is none. // [places] */
  lengths: Int32Array;
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

/** The inputs of treeLayoutInputs for a model's heads. */
export function layoutFeeds(
  slots: TreeSlots,
  heads: HeadCounts,
  { back }: { back: boolean },
): Record<string, Feed> {
  const feeds = indexFeeds(slots, heads, { back });
  slots.levels.forEach((_, l) => {
    feeds[`mask.${l}`] = levelMask(slots.roots, slots.levels, l);
  });
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
  { roots, levels, tokens, slots }: TreeSlots,
  { heads, kvHeads }: HeadCounts,
  { back }: { back: boolean },
): Record<string, Feed> {
  const shared = heads / kvHeads;
  const perToken = heads + 2 * kvHeads;
  const feeds: Record<string, Feed> = {};
  const spare = tokens - 1;
  const mixed = new Int32Array(tokens * heads);
  const table = new Int32Array(tokens * perToken);
  const starts = levelStarts(levels);
  const slotCount = starts.at(-1)!;

  levels.forEach(({ branches, places, width, tokens: tokensOfSlots }, l) => {
    const below = places / roots;
    const rows = { queries: heads, keys: kvHeads, values: kvHeads, outputs: heads };
    const at = Object.fromEntries(
      Object.entries(rows).map(([name, count]) => [name, new Int32Array(places * width * count)]),
    ) as Record<keyof typeof rows, Int32Array>;
    for (let root = 0; root < roots; root++) {
      for (let key = 0; key < kvHeads; key++) {
        for (let place = 0; place < below; place++) {
          const inLevel = (root * kvHeads + key) * below + place;
          const source = (root * below + place) * width;
          for (let t = 0; t < width; t++) {
            const found = tokensOfSlots[source + t]!;
            const token = found < 0 ? spare : found;
            const row = inLevel * width + t;
            at.keys[row] = token * perToken + heads + key;
            at.values[row] = token * perToken + heads + kvHeads + key;
            for (let g = 0; g < shared; g++) {
              const queryRow = (inLevel * shared + g) * width + t;
              at.queries[queryRow] = token * perToken + key * shared + g;
              at.outputs[queryRow] = token * heads + key * shared + g;
            }
          }
        }
      }
    }
    const lead = [roots, kvHeads, ...branches];
    for (const [name, array] of Object.entries(at)) {
      if (name === "outputs" && !back) continue;
      const dims = name === "queries" || name === "outputs" ? [...lead, shared, width] : [...lead, width];
      feeds[`${name}.${l}`] = { data: int64(array), dims };
    }
  });

  for (let token = 0; token < tokens; token++) {
    const slot = slots[token]!;
    let l = 0;
    while (slot >= starts[l + 1]!) l++;
    const { places, width } = levels[l]!;
    const below = places / roots;
    const place = Math.floor((slot - starts[l]!) / width);
    const t = (slot - starts[l]!) % width;
    for (let key = 0; key < kvHeads; key++) {
      const inLevel = (Math.floor(place / below) * kvHeads + key) * below + (place % below);
      const keyRow = starts[l]! * kvHeads + inLevel * width + t;
      table[token * perToken + heads + key] = slotCount * heads + keyRow;
      table[token * perToken + heads + kvHeads + key] = slotCount * (heads + kvHeads) + keyRow;
      for (let g = 0; g < shared; g++) {
        const queryRow = starts[l]! * heads + (inLevel * shared + g) * width + t;
        mixed[token * heads + key * shared + g] = queryRow;
        table[token * perToken + key * shared + g] = queryRow;
      }
    }
  }
  feeds.mixed = { data: int64(mixed), dims: [tokens, heads] };
  if (back) feeds.table = { data: int64(table), dims: [tokens * perToken] };
  return feeds;
}

/** Number of slots above each level, and of all. */
function levelStarts(levels: readonly Level[]): number[] {
  const starts = [0];
  for (const { tokens } of levels) starts.push(starts.at(-1)! + tokens.length);
  return starts;
}

/** What a level's tokens see: all of each ancestor's segment, and their own up to themselves. */
function levelMask(roots: number, levels: readonly Level[], l: number): Feed {
  const { branches, places, width } = levels[l]!;
  if (l === 0) return { data: causalMask(width), dims: [width, width] };
  const seen = levels.slice(0, l + 1);
  const total = seen.reduce((sum, level) => sum + level.width, 0);
  const mask = new Float32Array(places * width * total);
  for (let place = 0; place < places; place++) {
    let column = 0;
    const first = place * width * total;
    for (const level of seen.slice(0, -1)) {
      // A place's ancestor is the one whose share of the places it lies in.
      const length = level.lengths[Math.floor(place / (places / level.places))]!;
      mask.fill(MASKED, first + column + length, first + column + level.width);
      column += level.width;
    }
    mask.fill(MASKED, first + column + 1, first + total);
    for (let t = 1; t < width; t++) {
      const row = first + t * total;
      mask.copyWithin(row, first, first + column);
      mask.fill(MASKED, row + column + t + 1, row + total);
    }
  }
  return { data: mask, dims: [roots, 1, ...branches, 1, width, total] };
}

const masks = new Map<number, Float32Array>();

/** 0 on and below the diagonal, very negative above. // [T, T] */
export function causalMask(width: number): Float32Array {
  let mask = masks.get(width);
  if (!mask) {
    mask = new Float32Array(width * width).map((_, i) => (i % width > Math.floor(i / width) ? MASKED : 0));
    masks.set(width, mask);
  }
  return mask;
}
