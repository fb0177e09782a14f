import { expect, test } from "vitest";
import { createKvStore, type KvNode } from "./kv-store.ts";

const shape = { layers: 1, kvHeads: 2, headSize: 1 };
const BYTES_PER_TOKEN = 16;
/** Collects what a store gives back. */
function withMemory(maxBytes?: number) {
  const given: Float32Array[] = [];
  const store = createKvStore(shape, { give: (memory) => void given.push(memory) }, maxBytes);
  return { store, given };
}
/** A node of tokens whose keys and values are 8 bytes a token each. */
const node = (parent: KvNode | undefined, ...tokens: number[]) => ({
  parent,
  tokens: Int32Array.from(tokens),
  keys: [new Float32Array(2 * tokens.length)],
  values: [new Float32Array(2 * tokens.length)],
  start: 0,
  headStride: tokens.length,
});

test("finds the longest kept sequence that a prompt begins with, within the limit", () => {
  const { store } = withMemory();
  const failure = store.add(node(undefined, 1, 2, 3));
  const reflection = store.add(node(failure, 4, 5));
  store.add(node(failure, 4, 6));
  expect(store.find([1, 2, 3, 4, 5, 9], 6)).toBe(reflection);
  expect(store.find([1, 2, 3, 4, 5, 9], 4)).toBe(failure);
  expect(store.find([1, 2, 3, 4, 7], 5)).toBe(failure);
  expect(store.find([1, 2], 2)).toBeUndefined();
  expect(store.find([9, 2, 3, 4], 4)).toBeUndefined();
  expect(reflection.length).toBe(5);
});

test("drops the least recently used beyond its bound, and no parent before its children", () => {
  const { store } = withMemory(5 * BYTES_PER_TOKEN);
  const old = store.add(node(undefined, 1, 2));
  store.add(node(old, 3));
  const other = store.add(node(undefined, 7, 8));
  store.add(node(other, 9));
  expect(store.bytes).toBe(6 * BYTES_PER_TOKEN);
  store.trim();
  expect(store.find([1, 2, 3], 3)).toBe(old); // its continuation went
  expect(store.find([7, 8, 9], 3)!.length).toBe(3);
  store.add(node(undefined, 5));
  store.find([1, 2], 2);
  store.trim();
  expect(store.bytes).toBe(5 * BYTES_PER_TOKEN);
  store.add(node(undefined, 6));
  store.trim();
  expect(store.bytes).toBe(4 * BYTES_PER_TOKEN);
  expect(store.find([7, 8, 9], 3)).toBeUndefined();
  expect(store.find([1, 2], 2)).toBe(old);
});

test("forgets everything when told to", () => {
  const { store } = withMemory();
  store.add(node(undefined, 1, 2));
  store.clear();
  expect([store.bytes, store.find([1, 2], 2)]).toEqual([0, undefined]);
});

/** A cache of rows of `capacity` entries: keys first, then values. Entry t of head h of row r is r · 100 + h · 10 + t. */
function filledCache(rows: number, capacity: number) {
  const numbers = (base: number) =>
    Array.from({ length: rows * 2 * capacity }, (_, i) => {
      const [row, head] = [Math.floor(i / (2 * capacity)), Math.floor(i / capacity) % 2];
      return base + 100 * row + 10 * head + (i % capacity);
    });
  const memory = Float32Array.from([...numbers(0), ...numbers(0.5)]);
  const [keys, values] = [memory.subarray(0, memory.length / 2), memory.subarray(memory.length / 2)];
  /** What follows `skipped` entries of a row. */
  const ended = (row: number, skipped: number, ...tokens: number[]) => ({
    parent: undefined,
    tokens: Int32Array.from(tokens),
    keys: [keys],
    values: [values],
    start: row * 2 * capacity + skipped,
    headStride: capacity,
  });
  return { memory, ended };
}

test("a well filled cache stays as it is, counted whole, until the last sequence in it goes", () => {
  const { store, given } = withMemory(4 * BYTES_PER_TOKEN);
  const { memory, ended } = filledCache(2, 4);
  const kept = [store.add(ended(0, 1, 1, 2, 3)), store.add(ended(1, 1, 4, 5, 6))];
  store.retire({ memory, kept });
  expect([store.bytes, given]).toEqual([memory.byteLength, []]);
  expect(kept[1]!.keys[0]!.buffer).toBe(memory.buffer);
  store.trim();
  expect([store.bytes, given]).toEqual([0, [memory]]);
});

test("what counts is the memory that is held, which may be larger than the cache in it", () => {
  const { store, given } = withMemory();
  const { ended } = filledCache(2, 4);
  const memory = new Float32Array(new ArrayBuffer(4 * 256), 0, 32);
  store.retire({ memory, kept: [store.add(ended(0, 0, 1, 2, 3)), store.add(ended(1, 0, 4, 5, 6))] });
  expect([store.bytes, given]).toEqual([6 * BYTES_PER_TOKEN, [memory]]);
});

test("a cache that few sequences are left in is given back, and they keep their numbers", () => {
  const { store, given } = withMemory();
  const { memory, ended } = filledCache(3, 4);
  const kept = [store.add(ended(1, 2, 7, 8))];
  store.retire({ memory, kept });
  memory.fill(Number.NaN);
  expect([store.bytes, given]).toEqual([2 * BYTES_PER_TOKEN, [memory]]);
  const [node] = kept;
  expect([...node!.keys[0]!, ...node!.values[0]!]).toEqual([102, 103, 112, 113, 102.5, 103.5, 112.5, 113.5]);
  expect([node!.start, node!.headStride]).toEqual([0, 2]);
});

test("the few that are left are copied together, into memory that goes with the last of them", () => {
  const { store, given } = withMemory(2 * BYTES_PER_TOKEN);
  const { memory, ended } = filledCache(4, 4);
  const kept = [store.add(ended(0, 3, 5)), store.add(ended(2, 2, 7, 8))];
  store.retire({ memory, kept });
  expect([store.bytes, given]).toEqual([3 * BYTES_PER_TOKEN, [memory]]);
  expect(kept[0]!.keys[0]).toBe(kept[1]!.keys[0]);
  expect([...kept[0]!.keys[0]!]).toEqual([3, 13, 202, 203, 212, 213]);
  expect(kept.map(({ start, headStride }) => [start, headStride])).toEqual([
    [0, 1],
    [2, 2],
  ]);
  store.trim();
  expect(store.bytes).toBe(0); // the memory goes as a whole
  expect(given).toHaveLength(2);
});

test("forgetting gives a cache back once", () => {
  const { store, given } = withMemory();
  const { memory, ended } = filledCache(2, 4);
  store.retire({ memory, kept: [store.add(ended(0, 0, 1, 2, 3)), store.add(ended(1, 0, 4, 5, 6))] });
  store.clear();
  expect([store.bytes, given]).toEqual([0, [memory]]);
});
