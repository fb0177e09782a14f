/** Who sees whom, written out by hand: x = seen. */
import { describe, expect, test } from "vitest";
import { causalMask, extendMask, levelMask } from "./masks.ts";

/** Rows of a mask as text. */
function draw(mask: ArrayLike<number>, columns: number): string[] {
  const signs = Array.from(mask, (value) => (value === 0 ? "x" : "."));
  return Array.from({ length: signs.length / columns }, (_, row) =>
    signs.slice(row * columns, (row + 1) * columns).join(""),
  );
}

test("a token sees itself and what comes before it, with a window of 2 only its neighbour", () => {
  expect(draw(causalMask(4), 4)).toEqual(["x...", "xx..", "xxx.", "xxxx"]);
  expect(draw(causalMask(4, 2), 4)).toEqual(["x...", "xx..", ".xx.", "..xx"]);
  expect(causalMask(4, 4)).toBe(causalMask(4));
});

describe("a tree's second level", () => {
  // Two roots of 3 and 2 tokens; below the first, segments of 2 and 1 tokens, below the second one of 2 and an empty place.
  const levels = [
    { branches: [], places: 2, width: 3, lengths: Int32Array.of(3, 2) },
    { branches: [2], places: 4, width: 2, lengths: Int32Array.of(2, 1, 2, 0) },
  ];

  test("sees its ancestor whole without a window", () => {
    const { data, dims } = levelMask(2, levels, 1, Infinity);
    expect(dims).toEqual([2, 1, 2, 1, 2, 5]);
    const rows = draw(data as Float32Array, 5);
    expect(rows.slice(0, 4)).toEqual(["xxxx.", "xxxxx", "xxxx.", "xxxxx"]);
    expect(rows.slice(4)).toEqual(["xx.x.", "xx.xx", "xx.x.", "xx.xx"]);
  });

  test("sees as many positions as its window has, counted from its ancestor's end", () => {
    const rows = draw(levelMask(2, levels, 1, 3).data as Float32Array, 5);
    // positions 3 and 4 below the first root: 1–3 and 2–4
    expect(rows.slice(0, 2)).toEqual([".xxx.", "..xxx"]);
    // positions 2 and 3 below the second, whose padding at column 2 is no position: 0–2 and 1–3
    expect(rows.slice(4, 6)).toEqual(["xx.x.", ".x.xx"]);
  });
});

test("new tokens see the last positions of what is shared, of their own cache and of each other", () => {
  // the first row: 2 shared, 3 of its own, then positions 5 and 6; the second: 1 of its own, then positions 1 and 2
  const cache = { starts: [2, 0], lengths: [3, 1], capacity: 4 };
  const all = extendMask(cache, 2, Infinity, 3);
  expect(all.dims).toEqual([2, 1, 1, 2, 9]);
  expect(draw(all.data as Float32Array, 9)).toEqual(["xx.xxx.x.", "xx.xxx.xx", "...x...x.", "...x...xx"]);
  const five = draw(extendMask(cache, 2, 5, 3).data as Float32Array, 9);
  // 1–5 and 2–6
  expect(five).toEqual([".x.xxx.x.", "...xxx.xx", "...x...x.", "...x...xx"]);
  const two = draw(extendMask(cache, 2, 2, 3).data as Float32Array, 9);
  expect(two).toEqual([".....x.x.", ".......xx", "...x...x.", ".......xx"]);
});
