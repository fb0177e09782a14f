/**
 * Which datums share a graph run: those that share a prefix together, then like with like, up to a budget of distinct
 * tokens that bounds memory.
 */
import { buildPrefixTree, commonLength, sortLexically } from "./prefix-tree.ts";

/** Distinct tokens per run. Arbitrary, not tuned. */
const TOKENS_PER_RUN = 8192;

/** A run of at least this many tokens is closed when the next datum's beginning is shorter by more than a quarter. */
const TOKENS_WORTH_A_RUN = 1024;

/** Datums that share their beginning, and what a run needs to know of them. */
interface Family {
  indices: number[];
  /** Distinct tokens. */
  tokens: number;
  /** Length of the segment that all share. */
  root: number;
}

/** Indices of the sequences of each run; empty sequences are in none. Throws nothing: a longer one gets its own run. */
export function planRuns(sequences: readonly Int32Array[], sharePrefixes: boolean): number[][] {
  const families = familiesOf(sequences, sharePrefixes).sort(
    (a, b) => b.root - a.root || a.indices[0]! - b.indices[0]!,
  );
  const runs: { indices: number[]; tokens: number; root: number }[] = [];
  for (const { indices, tokens, root } of families) {
    const run = runs.at(-1);
    const isWasteful = run && run.tokens >= TOKENS_WORTH_A_RUN && root < 0.75 * run.root;
    if (run && !isWasteful && run.tokens + tokens <= TOKENS_PER_RUN) {
      run.indices.push(...indices);
      run.tokens += tokens;
    } else {
      runs.push({ indices: [...indices], tokens, root });
    }
  }
  return runs.map(({ indices }) => indices.sort((a, b) => a - b));
}

function familiesOf(sequences: readonly Int32Array[], sharePrefixes: boolean): Family[] {
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
    splitFamily(sequences, indices, rootAt.get(start)!.length),
  );
}

/** A family larger than a run is cut between neighbours in lexical order; each part computes what it shares anew. */
function splitFamily(sequences: readonly Int32Array[], indices: readonly number[], root: number): Family[] {
  const parts: Family[] = [];
  let previous: Int32Array | undefined;
  for (const i of sortLexically(indices.map((index) => sequences[index]!))) {
    const index = indices[i]!;
    const sequence = sequences[index]!;
    const part = parts.at(-1);
    const fresh = sequence.length - (previous ? commonLength(previous, sequence) : 0);
    if (part && part.tokens + fresh <= TOKENS_PER_RUN) {
      part.indices.push(index);
      part.tokens += fresh;
    } else {
      parts.push({ indices: [index], tokens: sequence.length, root: Math.min(root, sequence.length) });
    }
    previous = sequence;
  }
  return parts;
}
