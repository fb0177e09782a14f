import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { createGraph, createSession, exp, matmul } from "./index.ts";

const ours = () =>
  readdirSync(tmpdir())
    .filter((name) => name.startsWith("mulligan-profile-"))
    .sort();

function createProduct() {
  const graph = createGraph();
  const a = graph.input("a", "float32", ["N", 64]);
  const b = graph.input("b", "float32", [64, 64]);
  graph.output("c", exp(graph, matmul(graph, matmul(graph, a, b), b)));
  const feed = (rows: number) => ({ data: new Float32Array(64 * rows).fill(0.01), dims: [rows, 64] });
  return { graph, feeds: { a: feed(256), b: feed(64) } };
}

test("a measured graph tells the calls and seconds of each kind of op, and leaves no file", async () => {
  const before = ours();
  const { graph, feeds } = createProduct();
  const session = await createSession(graph, { threads: 1, profile: true });
  for (let run = 0; run < 5; run++) await session.run(feeds);
  const { runs, seconds, ops } = (await session.profile())!;
  await session.release();
  expect(runs).toBe(5);
  expect(ops.map(({ op, calls }) => [op, calls]).sort()).toEqual([
    ["Exp", 5],
    ["MatMul", 10],
  ]);
  const inOps = ops.reduce((sum, op) => sum + op.seconds, 0);
  expect(inOps).toBeGreaterThan(0);
  expect(inOps).toBeLessThan(seconds);
  expect(ours()).toEqual(before);
});

test("a graph that is not measured tells nothing", async () => {
  const { graph, feeds } = createProduct();
  const session = await createSession(graph, { threads: 1 });
  await session.run(feeds);
  expect(await session.profile()).toBeUndefined();
  await session.release();
});

test("a measured graph that nobody asked leaves no file either", async () => {
  const before = ours();
  const { graph, feeds } = createProduct();
  const session = await createSession(graph, { threads: 1, profile: true });
  await session.run(feeds);
  await session.release();
  expect(ours()).toEqual(before);
});
