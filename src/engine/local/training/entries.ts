/**
 * Which positions of datums are scored, and where: an entry is one target of one datum. Datums that share a token but
 * not its target have an entry each on the same scored row.
 */
import type { Datum } from "../../../core/datum.ts";
import type { Feed } from "../../../graph/index.ts";
import type { PrefixTree } from "../prefixes/prefix-tree.ts";
import { int64 } from "../weights.ts";

/** Positions of one datum, ascending. */
export type Scored = readonly number[];

/** Bytes of scores that exist at once: what lies beyond goes into further chunks. Arbitrary, not tuned. */
const SCORE_BYTES = 2 ** 28;

/**
 * Positions whose target has a weight: where any of weights, advantages and klWeights is not 0, or everywhere when the
 * datum has none of them.
 */
export function scoredPositions(datum: Partial<Datum> & Pick<Datum, "tokens">): number[] {
  const weights = [datum.weights, datum.advantages, datum.klWeights].filter((list) => list !== undefined);
  const positions: number[] = [];
  for (let t = 0; t < datum.tokens.length; t++) {
    if (weights.length === 0 || weights.some((list) => list[t] !== 0)) positions.push(t);
  }
  return positions;
}

export interface Entries {
  chunks: number;
  /** headInputs' indices for that many packed tokens. */
  feeds(tokens: number): Record<string, Feed>;
  /** A number per entry from the datums' per-token numbers, 0 where there is none. // [chunks · E] */
  gather(of: (datum: number) => ArrayLike<number> | undefined): Float32Array;
  /** Writes a number per entry into the datums' places. */
  scatter(numbers: ArrayLike<number>, into: readonly { [position: number]: number }[]): void;
}

interface Entry {
  datum: number;
  position: number;
  /** Within its chunk. */
  row: number;
}

/** The entries of some datums in their tree, cut into chunks whose scores fit the memory set aside for them. */
export function placeEntries(
  data: readonly Pick<Datum, "targets">[],
  indices: readonly number[],
  scored: readonly Scored[],
  tree: PrefixTree,
  { vocabSize, scoreBytes = SCORE_BYTES }: { vocabSize: number; scoreBytes?: number | undefined },
): Entries {
  const rowOf = new Map<number, number>(); // of each scored token, in order of appearance
  const all = indices.flatMap((datum, i) =>
    scored[datum]!.map((position) => {
      const token = tree.places[i]![position]!;
      if (!rowOf.has(token)) rowOf.set(token, rowOf.size);
      return { datum, position, row: rowOf.get(token)! };
    }),
  );
  const chunks = chunkCount(rowOf.size * vocabSize * 4, scoreBytes);
  const rowsPerChunk = Math.ceil(rowOf.size / chunks);
  const entries = Array.from({ length: chunks }, (): Entry[] => []);
  for (const entry of all) {
    const chunk = Math.floor(entry.row / rowsPerChunk);
    entries[chunk]!.push({ ...entry, row: entry.row - chunk * rowsPerChunk });
  }
  const width = Math.max(...entries.map(({ length }) => length));
  const each = (visit: (entry: Entry, place: number) => void) => {
    entries.forEach((list, c) => void list.forEach((entry, e) => void visit(entry, c * width + e)));
  };
  return {
    chunks,
    feeds(tokens) {
      const rows = chunks * rowsPerChunk;
      const scoredTokens = new Int32Array(rows);
      const inverse = new Int32Array(tokens).fill(rows);
      for (const [token, row] of rowOf) {
        scoredTokens[row] = token;
        inverse[token] = row;
      }
      const [entryRows, targets] = [new Int32Array(chunks * width), new Int32Array(chunks * width)];
      each(({ datum, position, row }, place) => {
        entryRows[place] = row;
        targets[place] = data[datum]!.targets[position]!;
      });
      return {
        scored: { data: int64(scoredTokens), dims: [chunks, rowsPerChunk] },
        scored_inverse: { data: int64(inverse), dims: [tokens] },
        entry_rows: { data: int64(entryRows), dims: [chunks, width] },
        entry_targets: { data: int64(targets), dims: [chunks, width] },
      };
    },
    gather(of) {
      const numbers = new Float32Array(chunks * width);
      each(({ datum, position }, place) => {
        numbers[place] = of(datum)?.[position] ?? 0;
      });
      return numbers;
    },
    scatter(numbers, into) {
      each(({ datum, position }, place) => {
        into[datum]![position] = numbers[place]!;
      });
    },
  };
}

/** A power of two, so that few graphs are compiled. */
function chunkCount(bytes: number, most: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(bytes / most)));
}
