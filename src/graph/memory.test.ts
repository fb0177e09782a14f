/** Memory by hand: a tensor of n float32 numbers has 4n bytes, from the node that makes it to the last that reads it. */
import { expect, test } from "vitest";
import { add, createGraph, exp, gradients, graphMemory, matmul, reshape, sum, type Value } from "./index.ts";

/** x [N, 4] through two matrices, [4, 8] and [8, 2]. */
function createProducts(between: (graph: ReturnType<typeof createGraph>, y: Value) => Value = (_, y) => y) {
  const graph = createGraph();
  const x = graph.input("x", "float32", ["N", 4]);
  const a = graph.input("a", "float32", [4, 8]);
  const b = graph.input("b", "float32", [8, 2]);
  graph.output("z", matmul(graph, between(graph, matmul(graph, x, a)), b));
  return { graph, dims: { x: [10, 4], a: [4, 8], b: [8, 2] } };
}

test("neither inputs nor outputs are counted in what is between them", () => {
  const { graph, dims } = createProducts();
  // y 10·8, z 10·2
  expect(graphMemory(graph, dims)).toEqual({ peak: 4 * 80, outputs: 4 * 20 });
});

test("another shape and an op in place take no memory of their own", () => {
  const { graph, dims } = createProducts((g, y) => exp(g, reshape(g, reshape(g, y, ["N", 2, 4]), ["N", 8])));
  expect(graphMemory(graph, dims)).toEqual({ peak: 4 * 80, outputs: 4 * 20 });
});

test("what is still read is not overwritten", () => {
  const { graph, dims } = createProducts((g, y) => add(g, exp(g, y), y));
  // y and e^y; the sum takes the place of one of them
  expect(graphMemory(graph, dims).peak).toBe(4 * (80 + 80));
});

test("a result is not kept waiting for the others", () => {
  const graph = createGraph();
  const x = graph.input("x", "float32", ["N"]);
  const weights = [0, 1, 2, 3].map((i) => graph.input(`w${i}`, "float32", [1, "N"]));
  let y: Value = reshape(graph, x, ["N", 1]);
  for (const w of weights) y = reshape(graph, sum(graph, matmul(graph, y, w), { axes: [1] }), ["N", 1]);
  const loss = sum(graph, y);
  gradients(graph, loss, weights).forEach((d, i) => void graph.output(`d${i}`, d));
  const dims = Object.fromEntries(
    ["x", "w0", "w1", "w2", "w3"].map((name) => [name, name === "x" ? [100] : [1, 100]]),
  );
  // one square of 100² numbers at a time, and vectors of 100: never two squares but for what makes one of the other
  expect(graphMemory(graph, dims).peak).toBeLessThan(4 * (2 * 100 ** 2 + 30 * 100));
});

test("a size that no input tells is named", () => {
  const { graph } = createProducts();
  graph.output("w", graph.node("Range", [], "float32", ["M"]));
  expect(() => graphMemory(graph, { x: [10, 4], a: [4, 8], b: [8, 2] })).toThrow(
    /no input tells the size of "M"/,
  );
});
