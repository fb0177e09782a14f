/**
 * Who sees whom, as numbers that are added to scores: a token sees what comes before it in its own sequence, as far back
 * as its layer's window (Infinity: to the start). One mask for each window that the model's layers have.
 */
import type { Feed } from "../../../graph/index.ts";
import { firstSeen, MASKED } from "../../../model/window.ts";
import type { KvCache } from "../sampling/kv-cache.ts";

/** A level of a tree, whose segments lie in places of one width. */
export interface Places {
  /** Branches of each segment above, for each level from the first down to this one. */
  branches: number[];
  /** Segments with a place: B · branches. */
  places: number;
  /** Longest segment. */
  width: number;
  /** Length of the segment in each place, 0 where there is none. // [places] */
  lengths: Int32Array;
}

/** A run of a row's columns: the sequence's next `length` positions, and columns without any up to `width`. */
interface Columns {
  length: number;
  width: number;
}

/** Hides the sequence's first positions, which lie in these columns from index `start` of the mask. */
function hideFirst(mask: Float32Array, start: number, columns: readonly Columns[], hidden: number): void {
  let [left, first] = [hidden, start];
  for (const { length, width } of columns) {
    if (left <= 0) return;
    mask.fill(MASKED, first, first + Math.min(left, length));
    left -= length;
    first += width;
  }
}

/** What a level's tokens see: all of each ancestor's segment, and their own up to themselves. */
export function levelMask(roots: number, levels: readonly Places[], l: number, window: number): Feed {
  const { branches, places, width } = levels[l]!;
  if (l === 0) return { data: causalMask(width, window), dims: [width, width] };
  const total = levels.slice(0, l + 1).reduce((sum, level) => sum + level.width, 0);
  const mask = new Float32Array(places * width * total);
  for (let place = 0; place < places; place++) {
    // A place's ancestor is the one whose share of the places it lies in.
    const above = levels.slice(0, l).map((level): Columns => {
      const length = level.lengths[Math.floor(place / (places / level.places))]!;
      return { length, width: level.width };
    });
    const first = place * width * total;
    let column = first;
    for (const segment of above) {
      mask.fill(MASKED, column + segment.length, column + segment.width);
      column += segment.width;
    }
    const own = column - first;
    mask.fill(MASKED, first + own + 1, first + total);
    for (let t = 1; t < width; t++) {
      const row = first + t * total;
      mask.copyWithin(row, first, first + own);
      mask.fill(MASKED, row + own + t + 1, row + total);
    }
    if (window === Infinity) continue;
    const position = above.reduce((sum, { length }) => sum + length, 0);
    const columns = [...above, { length: width, width }];
    for (let t = 0; t < width; t++) {
      hideFirst(mask, first + t * total, columns, firstSeen(position + t, window));
    }
  }
  return { data: mask, dims: [roots, 1, ...branches, 1, width, total] };
}

/** Wider ones are made anew: a long prompt of every length would keep a gigabyte. */
const WIDEST_KEPT = 256;
const masks = new Map<string, Float32Array>();

/** 0 on and below the diagonal as far as the window reaches, very negative elsewhere. // [T, T] */
export function causalMask(width: number, window = Infinity): Float32Array {
  const key = window < width ? `${width} ${window}` : `${width}`;
  let mask = masks.get(key);
  if (!mask) {
    mask = new Float32Array(width * width);
    for (let query = 0; query < width; query++) {
      const row = query * width;
      mask.fill(MASKED, row, row + firstSeen(query, window));
      mask.fill(MASKED, row + query + 1, row + width);
    }
    if (width <= WIDEST_KEPT) masks.set(key, mask);
  }
  return mask;
}

/** Columns of what new tokens see beside a cache's. */
interface ExtendColumns {
  /** New tokens of each row. */
  width: number;
  window: number;
  shared?: number;
  /** Steps between the cache and the new tokens, the last of the columns. */
  recent?: Columns;
}

/**
 * What new tokens of each row may see: the last of the shared entries, as many as the row shares, the last of its cache,
 * all recent steps, and each other up to themselves. // [B, 1, 1, width, shared + capacity + recent + width]
 */
export function extendMask(
  { lengths, starts, capacity }: Pick<KvCache, "lengths" | "starts" | "capacity">,
  { width, window, shared = 0, recent = { length: 0, width: 0 } }: ExtendColumns,
): Feed {
  const columns = shared + capacity + recent.width + width;
  const mask = new Float32Array(lengths.length * width * columns);
  lengths.forEach((length, row) => {
    const start = starts[row]!;
    for (let t = 0; t < width; t++) {
      const first = (row * width + t) * columns;
      const hidden = firstSeen(start + length + recent.length + t, window);
      hideAround(mask, first, { length: start, width: shared }, hidden);
      hideAround(mask, first + shared, { length, width: capacity }, hidden - start);
      const own = { length: recent.length + width, width: recent.width + width };
      hideAround(mask, first + shared + capacity, own, hidden - start - length);
      mask.fill(MASKED, first + columns - width + t + 1, first + columns);
    }
  });
  return { data: mask, dims: [lengths.length, 1, 1, width, columns] };
}

/** Hides columns from index `first` of the mask, of which only the last `length` are positions, and the first `hidden` of these. */
function hideAround(mask: Float32Array, first: number, { length, width }: Columns, hidden: number): void {
  mask.fill(MASKED, first, first + width - length + Math.min(Math.max(hidden, 0), length));
}
