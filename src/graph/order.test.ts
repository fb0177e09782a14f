/** The order of a graph's nodes: as the runtime's profiler tells it, and with results as early as can be. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createGraph, encodeOnnx, exp, type Graph, gradients, matmul, sum, type Value } from "./index.ts";
import { fileOrder, runOrder } from "./order.ts";

/** Layers x ← e^(x·w), and the derivative of each w. */
function createLayers(count: number): Graph {
  const graph = createGraph();
  const weights = Array.from({ length: count }, (_, i) => graph.input(`w${i}`, "float32", [4, 4]));
  let x: Value = graph.input("x", "float32", [4, 4]);
  for (const w of weights) x = exp(graph, matmul(graph, x, w));
  const loss = sum(graph, x);
  graph.output("loss", loss);
  gradients(graph, loss, weights).forEach((d, i) => void graph.output(`d${i}`, d));
  return graph;
}

/** Indices of a file's nodes in the order in which the runtime computed them. */
async function measuredOrder(graph: Graph): Promise<number[]> {
  const ort = createRequire(import.meta.url)("onnxruntime-node") as typeof import("onnxruntime-node");
  const folder = mkdtempSync(join(tmpdir(), "mulligan-order-"));
  const session = await ort.InferenceSession.create(encodeOnnx(graph), {
    graphOptimizationLevel: "disabled",
    enableProfiling: true,
    profileFilePrefix: join(folder, "ops"),
  });
  const numbers = () => new ort.Tensor("float32", new Float32Array(16).fill(0.1), [4, 4]);
  await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, numbers()])));
  session.endProfiling();
  const [file] = readdirSync(folder);
  const events = JSON.parse(readFileSync(join(folder, file!), "utf8")) as {
    cat: string;
    args?: { node_index: string };
  }[];
  rmSync(folder, { recursive: true });
  await session.release();
  return events.filter(({ cat }) => cat === "Node").map(({ args }) => Number(args!.node_index));
}

test("is the one in which the runtime computes", async () => {
  const graph = createLayers(3);
  const file = fileOrder(graph);
  expect(await measuredOrder(graph)).toEqual(runOrder(file).map((node) => file.indexOf(node)));
});

test("gives each weight its derivative before the next layer's is begun", () => {
  const graph = createLayers(3);
  const results = new Map([...graph.outputNames].map(([inner, name]) => [inner, name]));
  const order = runOrder(fileOrder(graph)).flatMap(({ outputs }) => results.get(outputs[0]!) ?? []);
  expect(order).toEqual(["loss", "d2", "d1", "d0"]);
  const between = runOrder(fileOrder(graph)).map(({ op }) => op);
  // after d2's product the chain goes on with two nodes, for d1 (a product and e^x's derivative)
  expect(between.slice(-6)).toEqual([
    "FusedMatMul",
    "Mul",
    "FusedMatMul",
    "FusedMatMul",
    "Mul",
    "FusedMatMul",
  ]);
});

test("leaves out what no output needs", () => {
  const graph = createLayers(2);
  const before = fileOrder(graph).length;
  exp(graph, graph.inputs[0]!);
  expect(fileOrder(graph)).toHaveLength(before);
});
