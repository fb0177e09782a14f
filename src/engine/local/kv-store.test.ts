import { expect, test } from "vitest";
import { createKvStore, type KvNode } from "./kv-store.ts";

const BYTES_PER_TOKEN = 16;
/** A node of tokens whose keys and values are 8 bytes a token each. */
const node = (parent: KvNode | undefined, ...tokens: number[]) => ({
  parent,
  tokens: Int32Array.from(tokens),
  keys: [new Float32Array(2 * tokens.length)],
  values: [new Float32Array(2 * tokens.length)],
});

test("finds the longest kept sequence that a prompt begins with, within the limit", () => {
  const store = createKvStore();
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
  const store = createKvStore(5 * BYTES_PER_TOKEN);
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
  const store = createKvStore();
  store.add(node(undefined, 1, 2));
  store.clear();
  expect([store.bytes, store.find([1, 2], 2)]).toEqual([0, undefined]);
});
