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

describe("new tokens", () => {
  // the first row: 2 shared, 3 of its own, then positions 5 and 6; the second: 1 of its own, then positions 1 and 2
  const cache = { starts: [2, 0], lengths: [3, 1], capacity: 4 };
  const drawn = (columns: Parameters<typeof extendMask>[1]) => {
    const { data, dims } = extendMask(cache, columns);
    return { dims, rows: draw(data as Float32Array, dims.at(-1)!) };
  };

  test("see the last of what is shared and of their own cache, and each other up to themselves", () => {
    const all = drawn({ width: 2, window: Infinity, shared: 3 });
    expect(all.dims).toEqual([2, 1, 1, 2, 9]);
    expect(all.rows).toEqual([".xx.xxxx.", ".xx.xxxxx", "......xx.", "......xxx"]);
  });

  test("see as many positions as their window has", () => {
    // 1–5 and 2–6
    const five = drawn({ width: 2, window: 5, shared: 3 }).rows;
    expect(five).toEqual(["..x.xxxx.", "....xxxxx", "......xx.", "......xxx"]);
    const two = drawn({ width: 2, window: 2, shared: 3 }).rows;
    expect(two).toEqual(["......xx.", ".......xx", "......xx.", ".......xx"]);
  });

  test("see all steps since the cache was made, and not the one that stands for none", () => {
    const columns = { width: 1, window: Infinity, shared: 3 };
    const two = drawn({ ...columns, recent: { length: 2, width: 2 } }).rows;
    expect(two).toEqual([".xx.xxxxxx", "......xxxx"]);
    const none = drawn({ ...columns, recent: { length: 0, width: 1 } }).rows;
    expect(none).toEqual([".xx.xxx.x", "......x.x"]);
    // positions 3–7 and 0–3
    const five = drawn({ width: 1, window: 5, shared: 3, recent: { length: 2, width: 2 } }).rows;
    expect(five).toEqual([".....xxxxx", "......xxxx"]);
  });
});
