import { expect, test } from "vitest";
import { createMemoryPool } from "./memory-pool.ts";

test("a request takes the smallest array given back that suffices, or a new one", () => {
  const pool = createMemoryPool();
  const [small, large] = [pool.take(10), pool.take(100)];
  expect([small.length, large.length, pool.bytes]).toEqual([10, 100, 0]);
  pool.give(large);
  pool.give(small);
  expect(pool.take(8).buffer).toBe(small.buffer);
  expect(pool.take(8).buffer).toBe(large.buffer);
  expect(pool.take(8).buffer.byteLength).toBe(32);
});

test("an array has the size asked for, whatever its memory was", () => {
  const pool = createMemoryPool();
  pool.give(pool.take(100).fill(7));
  expect(pool.take(60)).toHaveLength(60);
  expect(pool.take(0)).toHaveLength(0);
});

test("new memory may have room for what will be asked for later", () => {
  const pool = createMemoryPool();
  const array = pool.take(10, 15);
  expect([array.length, array.buffer.byteLength]).toEqual([10, 60]);
  pool.give(array);
  expect(pool.take(14, 21).buffer).toBe(array.buffer);
});

test("what grows leaves nothing behind that it has outgrown", () => {
  const pool = createMemoryPool();
  let array = pool.take(10);
  for (const size of [20, 30, 40, 50]) {
    const grown = pool.take(size);
    pool.give(array);
    array = grown;
  }
  expect(pool.bytes).toBe(160); // the last but one
});

test("when trimmed to its bound the smallest go first", () => {
  const pool = createMemoryPool(800);
  const arrays = [100, 50, 80].map((size) => pool.take(size));
  for (const array of arrays) pool.give(array);
  expect(pool.bytes).toBe(920);
  pool.trim();
  expect(pool.bytes).toBe(720);
  expect(pool.take(100).buffer).toBe(arrays[0]!.buffer);
});

test("what alone is beyond the bound does not drive the others out", () => {
  const pool = createMemoryPool(800);
  for (const array of [10, 20, 400].map((size) => pool.take(size))) pool.give(array);
  pool.trim();
  expect(pool.bytes).toBe(120);
});
