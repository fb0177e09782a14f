/**
 * The distinct tokens of many sequences: sequences that begin alike share their beginning, so that each token of a
 * common prefix is computed once. Pure bookkeeping over ids; must not know what is computed from them.
 */

/** Tokens [start, start + length) of a tree's packed tokens, which follow those of its parent. */
export interface Segment {
  /** Index of the segment that it continues; −1 for a root. Parents come before their children. */
  parent: number;
  /** Number of its ancestors. */
  level: number;
  /** Index of its first token among the packed tokens. */
  start: number;
  length: number;
  /** Position of its first token in its sequences. */
  position: number;
}

export interface PrefixTree {
  segments: Segment[];
  /** Segment by segment. // [N] */
  tokens: Int32Array;
  /** Position of each packed token in its sequences. // [N] */
  positions: Int32Array;
  /** Where each token of each sequence lies among the packed tokens; one [T] per sequence. */
  places: Int32Array[];
}

/** Levels that graphs are compiled for: task, failure, reflection, retries. */
export const MAX_LEVELS = 4;

/** A further level must save this share of the tokens: it costs an attention pass of its own. Arbitrary. */
const LEVEL_PRICE = 0.1;

/** A node of the tree while it is built: sequences [low, high) of the sorted order from token `from` to `to`. */
interface Node {
  low: number;
  high: number;
  from: number;
  to: number;
  children: Node[];
  /** Tokens computed in this node and below. */
  cost: number;
}

/**
 * The tree of non-empty sequences with the fewest tokens for `levels` levels (by default, as many as pay). The same
 * sequences in the same order give the same tree.
 */
export function buildPrefixTree(sequences: readonly ArrayLike<number>[], levels?: number): PrefixTree {
  const order = sortLexically(sequences);
  const planner = createPlanner(sequences, order);
  const plan = (count: number) => planner.branches(0, order.length, 0, count);
  if (levels !== undefined) return pack(sequences, order, plan(levels));
  let [best, lowest] = [plan(1), costOf(plan(1))];
  for (let count = 2; count <= MAX_LEVELS; count++) {
    const cost = costOf(plan(count)) / (1 - LEVEL_PRICE) ** (count - 1);
    if (cost < lowest) [best, lowest] = [plan(count), cost];
  }
  return pack(sequences, order, best);
}

function costOf(nodes: readonly Node[]): number {
  return nodes.reduce((sum, { cost }) => sum + cost, 0);
}

/** Indices in lexical order; a prefix comes before its continuations, equal sequences by index. */
export function sortLexically(sequences: readonly ArrayLike<number>[]): number[] {
  return sequences
    .map((_, i) => i)
    .sort((i, j) => {
      const [a, b] = [sequences[i]!, sequences[j]!];
      const common = commonLength(a, b, 0);
      if (common < a.length && common < b.length) return a[common]! - b[common]!;
      return a.length - b.length || i - j;
    });
}

/** Tokens that two sequences have in common from the start, of which the first `known` are known to be. */
export function commonLength(a: ArrayLike<number>, b: ArrayLike<number>, known = 0): number {
  const end = Math.min(a.length, b.length);
  let length = known;
  while (length < end && a[length] === b[length]) length++;
  return length;
}

/** Finds the cheapest sharing of sorted sequences; keeps what it found for a branching, which is asked for repeatedly. */
function createPlanner(sequences: readonly ArrayLike<number>[], order: readonly number[]) {
  const at = (i: number) => sequences[order[i]!]!;
  const decided = new Map<string, Node[]>();

  /** The nodes of [low, high), which agree up to `from` and all go on, in at most that many levels. */
  function branches(low: number, high: number, from: number, levels: number): Node[] {
    const nodes: Node[] = [];
    for (let start = low, end = low; start < high; start = end) {
      while (end < high && at(end)[from] === at(start)[from]) end++;
      const key = `${start} ${end} ${from} ${levels}`;
      const known = decided.get(key) ?? branch(start, end, from, levels);
      decided.set(key, known);
      nodes.push(...known);
    }
    return nodes;
  }

  /** One node for [low, high), which agree in token `from`; or one for each way they go on, with copies of what is common. */
  function branch(low: number, high: number, from: number, levels: number): Node[] {
    const last = at(high - 1);
    let first = low;
    let to = commonLength(at(first), last, from); // of all: they are sorted
    // A sequence that ends is the beginning of those behind it.
    while (at(first).length === to && to < last.length) to = commonLength(at(++first), last, to);
    const length = to - from;
    if (to === last.length) return [{ low, high, from, to, children: [], cost: length }];
    const copies = branches(first, high, to, levels).map((copy, i) => ({
      ...copy,
      low: i === 0 ? low : copy.low,
      from,
      cost: copy.cost + length,
    }));
    if (levels === 1) return copies;
    const children = branches(first, high, to, levels - 1);
    const cost = length + costOf(children);
    return cost < costOf(copies) ? [{ low, high, from, to, children, cost }] : copies;
  }

  return { branches };
}

function pack(
  sequences: readonly ArrayLike<number>[],
  order: readonly number[],
  roots: readonly Node[],
): PrefixTree {
  const total = costOf(roots);
  const tree: PrefixTree = {
    segments: [],
    tokens: new Int32Array(total),
    positions: new Int32Array(total),
    places: sequences.map(({ length }) => new Int32Array(length)),
  };
  let start = 0;
  // Level by level, so that a level's tokens lie together.
  let nodes = roots.map((node) => ({ node, parent: -1 }));
  for (let level = 0; nodes.length > 0; level++) {
    nodes = nodes.flatMap(({ node, parent }) => {
      const { low, high, from, to, children } = node;
      const length = to - from;
      const own = tree.segments.push({ parent, level, start, length, position: from }) - 1;
      const text = sequences[order[high - 1]!]!;
      for (let t = 0; t < length; t++) {
        tree.tokens[start + t] = text[from + t]!;
        tree.positions[start + t] = from + t;
      }
      for (let i = low; i < high; i++) {
        const places = tree.places[order[i]!]!;
        for (let t = 0; t < length && from + t < places.length; t++) places[from + t] = start + t;
      }
      start += length;
      return children.map((child) => ({ node: child, parent: own }));
    });
  }
  return tree;
}
