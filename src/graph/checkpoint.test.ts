/** Parts computed again: the same derivatives to the bit from less memory, and nothing that was not asked for. */
import { expect, test } from "vitest";
import {
  add,
  checkpoint,
  createGraph,
  createSession,
  exp,
  type Graph,
  gradients,
  graphMemory,
  matmul,
  neg,
  sum,
  type Value,
} from "./index.ts";

const LAYERS = 8;
const [ROWS, WIDTH] = [64, 16];

/** Layers x ← x + e^−(x·w)·v, whose inner width is four times as large. */
function createLayers(wrap: (graph: Graph, x: Value, build: (x: Value) => Value) => Value, learns: string[]) {
  const graph = createGraph();
  const weights: Value[] = [];
  const weight = (name: string, shape: number[]) => {
    const value = graph.input(name, "float32", shape);
    weights.push(value);
    return value;
  };
  let x: Value = graph.input("x", "float32", ["N", WIDTH]);
  for (let i = 0; i < LAYERS; i++) {
    const [up, down] = [weight(`up${i}`, [WIDTH, 4 * WIDTH]), weight(`down${i}`, [4 * WIDTH, WIDTH])];
    x = wrap(graph, x, (x) =>
      add(graph, x, matmul(graph, exp(graph, neg(graph, matmul(graph, x, up))), down)),
    );
  }
  const loss = sum(graph, exp(graph, neg(graph, x)));
  const wrt = weights.filter(({ name }) => learns.some((kind) => name.startsWith(kind)));
  gradients(graph, loss, wrt).forEach((d, i) => void graph.output(`d:${wrt[i]!.name}`, d));
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, shape }, i) => {
      const dims = shape.map((dim) => (dim === "N" ? ROWS : (dim as number)));
      const data = new Float32Array(dims[0]! * dims[1]!).map((_, j) => 0.2 * Math.sin(j + i));
      return [name, { data, dims }];
    }),
  );
  const dims = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feed.dims]));
  return { graph, feeds, memory: graphMemory(graph, dims) };
}

const kept = (_: Graph, x: Value, build: (x: Value) => Value) => build(x);

test.each([[["up", "down"]], [["down"]]])("derivatives of %s are the same to the bit", async (learns) => {
  const results = [];
  for (const wrap of [kept, checkpoint]) {
    const { graph, feeds } = createLayers(wrap, learns);
    const session = await createSession(graph, { threads: 1 });
    results.push(await session.run(feeds));
    await session.release();
  }
  expect(Object.keys(results[0]!)).toHaveLength(LAYERS * learns.length);
  expect(results[1]).toEqual(results[0]);
});

test("holds the inputs of all layers and the insides of one", () => {
  const learns = ["up", "down"];
  const [all, one] = [createLayers(kept, learns).memory, createLayers(checkpoint, learns).memory];
  const outputs = LAYERS * 2 * 4 * 4 * WIDTH ** 2;
  expect(all.outputs).toBe(outputs);
  // kept: e^−(x·w), four times as wide as x, of every layer
  const [row, inside] = [4 * ROWS * WIDTH, 4 * 4 * ROWS * WIDTH];
  expect(all.peak).toBeGreaterThan(LAYERS * (row + inside));
  expect(one.peak).toBeLessThan(LAYERS * row + 4 * inside);
  expect(one.peak).toBeLessThan(0.75 * all.peak);
});

test("a frozen weight gets no derivative", () => {
  const count = (learns: string[]) => {
    const { graph } = createLayers(checkpoint, learns);
    return graph.nodes.filter(({ op }) => op === "FusedMatMul").length;
  };
  // each layer's xᵀ·d, and in the first the way back to it, which nothing else needs
  expect(count(["up", "down"]) - count(["down"])).toBe(LAYERS + 1);
});

test("what changes its input's shape is refused", () => {
  const graph = createGraph();
  const x = graph.input("x", "float32", ["N", 4]);
  const w = graph.input("w", "float32", [4, 2]);
  expect(() => checkpoint(graph, x, (x) => matmul(graph, x, w))).toThrow(/must keep its input's shape/);
});
