/** Which sequences go to which replica: parts of like cost, and what begins alike stays together. Pure bookkeeping. */
import { commonLength, sortLexically } from "./prefix-tree.ts";

/** Parts must be this much smaller than the whole, each with what it computes anew: else the whole stays one. Arbitrary. */
const LEAST_GAIN = 1.25;

/** A cut may lie this share of a part away from where the parts would be equal. Arbitrary, not tuned. */
const SLACK = 0.1;

/**
 * Indices of each part, ascending; no part is empty, and there is one only where parts would gain little. A sequence
 * costs the tokens that it does not share with its neighbour in lexical order, and `each` more. The same sequences give
 * the same parts.
 */
export function partition(sequences: readonly ArrayLike<number>[], parts: number, each = 0): number[][] {
  const order = sortLexically(sequences);
  const shared = order.map((index, i) =>
    i === 0 ? 0 : commonLength(sequences[order[i - 1]!]!, sequences[index]!),
  );
  let total = 0;
  /** Cost of all sequences before each place in the order. */
  const before = order.map((index, i) => {
    const sum = total;
    total += sequences[index]!.length - shared[i]! + each;
    return sum;
  });
  const count = Math.min(parts, sequences.length);
  const cuts = [0];
  for (let part = 1; part < count; part++) {
    const [first, last] = [cuts.at(-1)! + 1, order.length - (count - part)];
    cuts.push(
      bestCut(before, shared, {
        first,
        last,
        target: (total * part) / count,
        slack: SLACK * (total / count),
      }),
    );
  }
  const largest = Math.max(
    ...cuts.map((start, part) => (before[cuts[part + 1] ?? -1] ?? total) - before[start]! + shared[start]!),
  );
  const starts = largest * LEAST_GAIN > total ? [0] : cuts;
  return starts.map((start, part) =>
    order.slice(start, starts[part + 1] ?? order.length).sort((a, b) => a - b),
  );
}

/** Of the places within reach of the target the one that separates least, else the nearest. */
function bestCut(
  before: readonly number[],
  shared: readonly number[],
  { first, last, target, slack }: { first: number; last: number; target: number; slack: number },
): number {
  const distance = (i: number) => Math.abs(before[i]! - target);
  let best = first;
  for (let i = first; i <= last; i++) {
    const isWithin = distance(i) <= slack;
    const isBetter =
      isWithin && distance(best) <= slack
        ? shared[i]! < shared[best]! || (shared[i] === shared[best] && distance(i) < distance(best))
        : distance(i) < distance(best);
    if (isBetter) best = i;
  }
  return best;
}
