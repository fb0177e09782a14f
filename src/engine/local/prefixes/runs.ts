/**
 * Which sequences share a graph run: those that share a prefix together, then like with like, up to a budget of distinct
 * tokens and of slots that bounds memory.
 */
import { buildPrefixTree, commonLength, type PrefixTree, sortLexically } from "./prefix-tree.ts";
import { placeSegments, type TreeSlots } from "./tree-layout.ts";

/** Distinct tokens per run, unless told otherwise. Twice as many gain no time with a thread per replica, and take half more memory (docs/benchmarks.md). */
export const TOKENS_PER_RUN = 1024;

/** A family larger than a run stays whole up to two runs, or while what it shares is a third of it: parts compute that anew. */
const RUNS_PER_FAMILY = 2;
const SHARES_PER_FAMILY = 3;

/** A run that is so full is closed when the next datum's beginning is shorter by more than a quarter. */
const WORTH_A_RUN = 0.5;

/** A tree whose shape wastes more slots than this is taken apart: attention computes them all. Arbitrary. */
const SLOTS_PER_TOKEN = 4;
const SPARE_SLOTS = 4096;

export interface TreeRun {
  indices: readonly number[];
  tree: PrefixTree;
  slots: TreeSlots;
}

export interface RunOptions {
  /** Compute common prefixes once. Default true. */
  sharePrefixes?: boolean | undefined;
  /** Distinct tokens of a run; a longer sequence gets its own. Default TOKENS_PER_RUN. */
  maxTokensPerRun?: number | undefined;
}

/** The runs of some sequences as trees. Empty sequences are in none. */
export function* treeRuns(sequences: readonly Int32Array[], options: RunOptions = {}): Generator<TreeRun> {
  const { sharePrefixes = true } = options;
  for (const indices of planRuns(sequences, options)) {
    yield* compactTrees(sequences, indices, sharePrefixes ? undefined : 1);
  }
}

function* compactTrees(
  sequences: readonly Int32Array[],
  indices: readonly number[],
  levels: number | undefined,
): Generator<TreeRun> {
  const tree = buildPrefixTree(
    indices.map((i) => sequences[i]!),
    levels,
  );
  const slots = placeSegments(tree);
  const used = slots.levels.reduce((sum, { tokens }) => sum + tokens.length, 0);
  if (indices.length === 1 || used <= SLOTS_PER_TOKEN * tree.tokens.length + SPARE_SLOTS) {
    yield { indices, tree, slots };
    return;
  }
  // Without sharing lengths differ too much, with it branchings do: like sequences stay together.
  const sorted =
    slots.levels.length === 1
      ? [...indices].sort((i, j) => sequences[i]!.length - sequences[j]!.length || i - j)
      : sortLexically(indices.map((i) => sequences[i]!)).map((i) => indices[i]!);
  const half = sorted.length >> 1;
  for (const part of [sorted.slice(0, half), sorted.slice(half)]) {
    yield* compactTrees(
      sequences,
      part.sort((a, b) => a - b),
      levels,
    );
  }
}

/** Datums that share their beginning, and what a run needs to know of them. */
interface Family {
  indices: number[];
  /** Distinct tokens. */
  tokens: number;
  /** Length of the segment that all share. */
  root: number;
}

/** Indices of the sequences of each run; empty sequences are in none. Throws nothing: a longer one gets its own run. */
export function planRuns(
  sequences: readonly Int32Array[],
  { sharePrefixes = true, maxTokensPerRun = TOKENS_PER_RUN }: RunOptions = {},
): number[][] {
  const families = familiesOf(sequences, sharePrefixes, RUNS_PER_FAMILY * maxTokensPerRun).sort(
    (a, b) => b.root - a.root || a.indices[0]! - b.indices[0]!,
  );
  const runs: { indices: number[]; tokens: number; root: number }[] = [];
  for (const { indices, tokens, root } of families) {
    const run = runs.at(-1);
    const isWasteful = run && run.tokens >= WORTH_A_RUN * maxTokensPerRun && root < 0.75 * run.root;
    if (run && !isWasteful && run.tokens + tokens <= maxTokensPerRun) {
      run.indices.push(...indices);
      run.tokens += tokens;
    } else {
      runs.push({ indices: [...indices], tokens, root });
    }
  }
  return runs.map(({ indices }) => indices.sort((a, b) => a - b));
}

function familiesOf(sequences: readonly Int32Array[], sharePrefixes: boolean, most: number): Family[] {
  const present = [...sequences.keys()].filter((i) => sequences[i]!.length > 0);
  if (!sharePrefixes) {
    return present.map((i) => ({ indices: [i], tokens: sequences[i]!.length, root: sequences[i]!.length }));
  }
  const tree = buildPrefixTree(present.map((i) => sequences[i]!));
  const rootAt = new Map(
    tree.segments.filter(({ parent }) => parent < 0).map((segment) => [segment.start, segment]),
  );
  const families = new Map<number, number[]>();
  present.forEach((index, i) => {
    const start = tree.places[i]![0]!;
    families.set(start, [...(families.get(start) ?? []), index]);
  });
  return [...families].flatMap(([start, indices]) =>
    splitFamily(sequences, indices, rootAt.get(start)!.length, most),
  );
}

/** A family too large is cut between neighbours in lexical order; each part computes what it shares anew. */
function splitFamily(
  sequences: readonly Int32Array[],
  indices: readonly number[],
  root: number,
  tokens: number,
): Family[] {
  const most = Math.max(tokens, SHARES_PER_FAMILY * root);
  const parts: Family[] = [];
  let previous: Int32Array | undefined;
  for (const i of sortLexically(indices.map((index) => sequences[index]!))) {
    const index = indices[i]!;
    const sequence = sequences[index]!;
    const part = parts.at(-1);
    const fresh = sequence.length - (previous ? commonLength(previous, sequence) : 0);
    if (part && part.tokens + fresh <= most) {
      part.indices.push(index);
      part.tokens += fresh;
    } else {
      parts.push({ indices: [index], tokens: sequence.length, root: Math.min(root, sequence.length) });
    }
    previous = sequence;
  }
  return parts;
}
