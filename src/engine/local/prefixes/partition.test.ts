import fc from "fast-check";
import { expect, test } from "vitest";
import { partition } from "./partition.ts";

const sequences = fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 40,
});

test("every sequence is in one part, no part is empty, and there are no more than asked for", () => {
  fc.assert(
    fc.property(
      sequences,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 50 }),
      (texts, count, each) => {
        const parts = partition(texts, count, each);
        expect(parts.length === 1 || parts.length === Math.min(count, texts.length)).toBe(true);
        expect(parts.every((part) => part.length > 0)).toBe(true);
        expect(parts.flat().sort((a, b) => a - b)).toEqual(texts.map((_, i) => i));
        for (const part of parts) expect(part).toEqual([...part].sort((a, b) => a - b));
      },
    ),
  );
});

/** Eight groups of five that share 20 tokens, mixed up. */
const groups = Array.from({ length: 40 }, (_, i) => {
  const group = (i * 3) % 8;
  return [9, 9, ...new Array(18).fill(group), i, i + 1];
});

test("what begins alike stays together, in parts of like size", () => {
  const parts = partition(groups, 2);
  const groupsOf = (part: number[]) => new Set(part.map((i) => groups[i]![2]));
  const all = parts.map(groupsOf);
  expect(all.reduce((sum, { size }) => sum + size, 0)).toBe(8);
  expect(all.map(({ size }) => size)).toEqual([4, 4]);
});

test("a group too large for a part is cut, and what each costs besides counts", () => {
  const same = new Array(10).fill([1, 2, 3]);
  expect(partition(same, 2, 100).map((part) => part.length)).toEqual([5, 5]);
  // the first of them costs as much as the hundred tokens that the others share with it: 100 + 15 · 20
  const long = new Array(15).fill(new Array(100).fill(1));
  expect(partition(long, 2, 20).map((part) => part.length)).toEqual([5, 10]);
});

test("nothing is cut where both parts would compute nearly everything", () => {
  const long = Array.from({ length: 6 }, (_, i) => [...new Array(100).fill(1), i]);
  expect(partition(long, 2)).toEqual([[0, 1, 2, 3, 4, 5]]);
  expect(partition([new Array(100).fill(1), [2]], 2)).toHaveLength(1);
});
