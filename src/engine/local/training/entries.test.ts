import { expect, test } from "vitest";
import { buildPrefixTree } from "../prefixes/prefix-tree.ts";
import { placeEntries, scoredPositions } from "./entries.ts";

const numbers = (...values: number[]) => Float32Array.from(values);
const ids = (...values: number[]) => Int32Array.from(values);

test("a position is scored where it weighs anything, and everywhere where nothing is said", () => {
  const tokens = ids(1, 2, 3, 4);
  expect(scoredPositions({ tokens })).toEqual([0, 1, 2, 3]);
  expect(scoredPositions({ tokens, weights: numbers(0, 1, 0, -1) })).toEqual([1, 3]);
  const advantages = numbers(0, 0, 0.5, 0);
  expect(scoredPositions({ tokens, advantages })).toEqual([2]);
  expect(scoredPositions({ tokens, advantages, klWeights: numbers(0, 0.1, 0.1, 0) })).toEqual([1, 2]);
});

// two reflections after a prefix of three tokens: its last token is asked for both of their first tokens
const data = [
  { tokens: ids(1, 2, 3, 4), targets: ids(2, 3, 4, 9) },
  { tokens: ids(1, 2, 3, 5), targets: ids(2, 3, 5, 8) },
];
const tree = buildPrefixTree(
  data.map(({ tokens }) => tokens),
  2,
);
const scored = [
  [2, 3],
  [2, 3],
];
/** int64 feeds as numbers. */
const plain = (feeds: Record<string, { data: unknown }>) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, feed]) => [name, Array.from(feed.data as BigInt64Array, Number)]),
  );

test("a shared token is scored once, for as many targets as are asked", () => {
  const entries = placeEntries(data, [0, 1], scored, tree, { vocabSize: 10 });
  expect([...tree.tokens]).toEqual([1, 2, 3, 4, 5]);
  expect(entries.chunks).toBe(1);
  expect(plain(entries.feeds(6))).toEqual({
    scored: [2, 3, 4],
    scored_inverse: [3, 3, 0, 1, 2, 3], // 3 = not scored
    entry_rows: [0, 1, 0, 2],
    entry_targets: [4, 9, 5, 8],
  });
});

test("chunks hold a share of the rows each, and entries follow their rows", () => {
  const entries = placeEntries(data, [0, 1], scored, tree, { vocabSize: 10, scoreBytes: 2 * 10 * 4 });
  expect(entries.chunks).toBe(2);
  expect(plain(entries.feeds(5))).toEqual({
    scored: [2, 3, 4, 0],
    scored_inverse: [4, 4, 0, 1, 2],
    // rows 0 and 1 with three entries, then row 2 as the first of its chunk with one
    entry_rows: [0, 1, 0, 0, 0, 0],
    entry_targets: [4, 9, 5, 8, 0, 0],
  });
  const into = [new Float32Array(4), new Float32Array(4)];
  entries.scatter([0.1, 0.2, 0.3, 0.4, 9, 9], into);
  expect(into).toEqual([numbers(0, 0, 0.1, 0.2), numbers(0, 0, 0.3, 0.4)]);
  const gathered = entries.gather((datum) => (datum === 0 ? [0, 0, 5, 6] : undefined));
  expect([...gathered]).toEqual([5, 6, 0, 0, 0, 0]);
});
