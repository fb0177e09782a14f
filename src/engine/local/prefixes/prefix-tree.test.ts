import fc from "fast-check";
import { expect, test } from "vitest";
import { buildPrefixTree, MAX_LEVELS } from "./prefix-tree.ts";

/** The tokens of a sequence as the tree holds them. */
function readBack(sequences: readonly number[][], levels?: number) {
  const tree = buildPrefixTree(sequences, levels);
  return tree.places.map((places) => Array.from(places, (place) => tree.tokens[place]!));
}

test("computes a group's prefix once and each reflection after it", () => {
  const prefix = [1, 2, 3, 4, 1, 2];
  const tree = buildPrefixTree([
    [...prefix, 5, 6],
    [...prefix, 7],
    [...prefix, 5, 8],
  ]);
  // 6 shared tokens, then [5 6], [5 8] and [7]: the 5 that two branches share is one token of 11, not worth a level
  expect(tree.segments).toEqual([
    { parent: -1, level: 0, start: 0, length: 6, position: 0 },
    { parent: 0, level: 1, start: 6, length: 2, position: 6 },
    { parent: 0, level: 1, start: 8, length: 2, position: 6 },
    { parent: 0, level: 1, start: 10, length: 1, position: 6 },
  ]);
  expect([...tree.tokens]).toEqual([...prefix, 5, 6, 5, 8, 7]);
  expect([...tree.positions]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 6, 7, 6]);
  expect(tree.places.map((places) => [...places])).toEqual([
    [0, 1, 2, 3, 4, 5, 6, 7],
    [0, 1, 2, 3, 4, 5, 10],
    [0, 1, 2, 3, 4, 5, 8, 9],
  ]);
});

test("counts a tree of task, failure, reflection and retries by its distinct tokens", () => {
  const run = (start: number, length: number) => Array.from({ length }, (_, i) => start + i);
  const sequences = [0, 1].flatMap((failure) =>
    [0, 1, 2].flatMap((reflection) =>
      [0, 1].map((retry) => [
        ...run(1, 20), // the task
        ...run(1000 + 100 * failure, 10),
        ...run(2000 + 100 * reflection + 10 * failure, 8),
        ...run(3000 + 100 * retry + 10 * reflection, 5),
      ]),
    ),
  );
  const tree = buildPrefixTree(sequences);
  expect(tree.tokens).toHaveLength(20 + 2 * 10 + 6 * 8 + 12 * 5); // 148
  expect(Math.max(...tree.segments.map(({ level }) => level))).toBe(3);
  // with one level fewer a second copy of the task is cheapest
  expect(buildPrefixTree(sequences, 3).tokens.length).toBe(148 + 20);
  expect(buildPrefixTree(sequences, 1).tokens).toHaveLength(12 * 43);
});

test("a sequence that is the beginning of another, or equal to it, adds nothing", () => {
  const tree = buildPrefixTree([[1, 2, 3], [1], [1, 2, 3], [1, 2]]);
  expect(tree.segments).toHaveLength(1);
  expect([...tree.tokens]).toEqual([1, 2, 3]);
  expect(readBack([[1, 2, 3], [1], [1, 2, 3], [1, 2]])).toEqual([[1, 2, 3], [1], [1, 2, 3], [1, 2]]);
});

test("a chain of ever longer sequences stays one segment", () => {
  const chain = Array.from({ length: 3000 }, (_, i) => new Array<number>(i + 1).fill(7));
  expect(buildPrefixTree(chain, 4).segments).toHaveLength(1);
});

test("for any sequences: every token stands in its place, after its ancestors', and no path is shared twice", () => {
  const sequence = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 12 });
  const count = fc.integer({ min: 1, max: MAX_LEVELS });
  fc.assert(
    fc.property(fc.array(sequence, { minLength: 1, maxLength: 20 }), count, (sequences, levels) => {
      expect(readBack(sequences, levels)).toEqual(sequences);
      const { segments, places, positions, tokens } = buildPrefixTree(sequences, levels);
      const owner = new Map<number, number>();
      segments.forEach(({ start, length }, s) => {
        for (let t = start; t < start + length; t++) owner.set(t, s);
      });
      expect(owner.size).toBe(tokens.length);
      for (const { parent, level } of segments) {
        expect(level).toBe(parent < 0 ? 0 : segments[parent]!.level + 1);
        expect(level).toBeLessThan(levels);
      }
      for (const path of places) {
        path.forEach((place, t) => {
          expect(positions[place]).toBe(t);
          if (t === 0) return;
          const [before, here] = [owner.get(path[t - 1]!)!, owner.get(place)!];
          if (before !== here) expect(segments[here]!.parent).toBe(before);
        });
      }
    }),
  );
});

test("with levels enough, as many tokens as there are distinct beginnings", () => {
  const sequence = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(sequence, { minLength: 1, maxLength: 20 }), (sequences) => {
      const beginnings = new Set(sequences.flatMap((s) => s.map((_, t) => s.slice(0, t + 1).join())));
      expect(buildPrefixTree(sequences, 9).tokens).toHaveLength(beginnings.size);
    }),
  );
});
