import { expect, test } from "vitest";
import { planRuns, treeRuns } from "./runs.ts";

const sequence = (length: number, ...start: number[]) =>
  Int32Array.from({ length }, (_, t) => start[t] ?? (start[0] ?? 0) * 100 + t);

test("sequences that share a prefix share a run, whatever their order", () => {
  const families = [1, 2, 3].map((family) => [sequence(350, family), sequence(351, family)]);
  const [a, b, c] = families as [Int32Array[], Int32Array[], Int32Array[]];
  // 351 distinct tokens a family: two fit into the 1,024 of a run, three do not
  const runs = planRuns([a[0]!, b[0]!, c[0]!, a[1]!, b[1]!, c[1]!]);
  expect(runs.map(({ length }) => length)).toEqual([4, 2]);
  for (const run of runs) for (const i of run) expect(run).toContain((i + 3) % 6);
});

test("without sharing every sequence costs all of its tokens", () => {
  const same = Array.from({ length: 4 }, () => sequence(350, 1));
  expect(planRuns(same)).toEqual([[0, 1, 2, 3]]);
  expect(planRuns(same, { sharePrefixes: false })).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

test("a family too large is cut, unless most of it is shared, and a sequence longer than a run gets its own", () => {
  const branches = Array.from({ length: 40 }, (_, branch) => {
    const tokens = sequence(250, 1);
    return tokens.fill(5000 + branch, 125); // 125 shared, 125 of its own
  });
  const runs = planRuns(branches);
  // 125 + 125 n ≤ 2,048 for 15 branches
  expect(runs.map(({ length }) => length).sort((x, y) => y - x)).toEqual([15, 15, 10]);
  expect(runs.flat().sort((x, y) => x - y)).toEqual([...branches.keys()]);
  const long = branches.map((tokens) => Int32Array.of(...new Array(900).fill(3), ...tokens.subarray(125)));
  // 900 + 125 n ≤ 3 · 900 for 14 branches
  expect(planRuns(long).map(({ length }) => length)).toEqual([14, 14, 12]);
  expect(planRuns([sequence(2100, 1), sequence(10, 2)])).toEqual([[0], [1]]);
});

test("sequences of nothing are in no run, and short ones do not pad long ones", () => {
  expect(planRuns([sequence(0), sequence(5, 1), sequence(0)])).toEqual([[1]]);
  const long = Array.from({ length: 8 }, (_, i) => sequence(100, i + 1));
  const short = Array.from({ length: 8 }, (_, i) => sequence(20, i + 11));
  expect(planRuns([...short, ...long])).toEqual([
    [8, 9, 10, 11, 12, 13, 14, 15],
    [0, 1, 2, 3, 4, 5, 6, 7],
  ]);
});

test("a shape that would be mostly empty slots is taken apart, and every sequence still has its place", () => {
  // one text of 900 tokens and 100 of 9: side by side they would be 90,900 slots for 1,800 tokens
  const uneven = [sequence(900, 1), ...Array.from({ length: 100 }, (_, i) => sequence(9, i + 2))];
  const slotsOf = (sequences: Int32Array[], sharePrefixes: boolean) => {
    const runs = [...treeRuns(sequences, { sharePrefixes })];
    expect(runs.flatMap(({ indices }) => indices).sort((a, b) => a - b)).toEqual([...sequences.keys()]);
    return runs.reduce(
      (sum, { slots }) => sum + slots.levels.reduce((n, { tokens }) => n + tokens.length, 0),
      0,
    );
  };
  expect(slotsOf(uneven, false)).toBeLessThan(4 * 1800 + 2 * 4096);
  expect(slotsOf(uneven, true)).toBeLessThan(4 * 1800 + 2 * 4096);
  // one failure with 200 reflections beside 60 with 2 each: 61 · 200 branches if they were one tree shape
  const bushy = Array.from({ length: 200 }, (_, i) => sequence(50, 1).fill(1000 + i, 20));
  const thin = Array.from({ length: 120 }, (_, i) => sequence(50, 2 + (i >> 1)).fill(1000 + i, 20));
  const tokens = 20 + 200 * 30 + 60 * 20 + 120 * 30;
  expect(slotsOf([...bushy, ...thin], true)).toBeLessThan(4 * tokens + 4 * 4096);
});
