/**
 * Every op's derivative against central differences in float64, and its float32 form (fused where the runtime can)
 * against the float64 one. The loss is a random weighting of the output, so no entry can hide.
 */
import { describe, expect, test } from "vitest";
import { createRng } from "../core/rng.ts";
import {
  add,
  attention,
  broadcastTo,
  concat,
  createGraph,
  createSession,
  div,
  exp,
  type Feed,
  type Graph,
  gather,
  gradients,
  linear,
  log,
  logSoftmax,
  matmul,
  max,
  mean,
  min,
  mul,
  neg,
  reshape,
  rmsNorm,
  rope,
  type Shape,
  sigmoid,
  silu,
  softmax,
  split,
  sqrt,
  sub,
  sum,
  takeRows,
  tokenLogprob,
  transpose,
  type Value,
} from "./index.ts";

interface Case {
  /** Shapes of the float inputs that are differentiated. */
  shapes: number[][];
  /** Keeps inputs of log, sqrt and div away from zero. */
  positive?: boolean;
  /** int64 inputs by name. */
  indices?: Record<string, { shape: number[]; values: number[] }>;
  build(graph: Graph, x: Value[], indices: Record<string, Value>): Value;
}

const rotation = (g: Graph, at: Record<string, Value>) => {
  const angles = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
  const table = (f: (x: number) => number) => g.constant(g.float, [5, 2], angles.map(f));
  return { positions: at.positions!, cos: table(Math.cos), sin: table(Math.sin) };
};

const cases: Record<string, Case> = {
  add: { shapes: [[2, 3], [3]], build: (g, [a, b]) => add(g, a!, b!) },
  sub: {
    shapes: [
      [2, 1],
      [2, 3],
    ],
    build: (g, [a, b]) => sub(g, a!, b!),
  },
  mul: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: (g, [a, b]) => mul(g, a!, b!),
  },
  div: { shapes: [[2, 3], [3]], positive: true, build: (g, [a, b]) => div(g, a!, b!) },
  min: {
    shapes: [
      [2, 3],
      [2, 3],
    ],
    build: (g, [a, b]) => min(g, a!, b!),
  },
  max: { shapes: [[2, 3], [3]], build: (g, [a, b]) => max(g, a!, b!) },
  neg: { shapes: [[4]], build: (g, [a]) => neg(g, a!) },
  exp: { shapes: [[4]], build: (g, [a]) => exp(g, a!) },
  log: { shapes: [[4]], positive: true, build: (g, [a]) => log(g, a!) },
  sqrt: { shapes: [[4]], positive: true, build: (g, [a]) => sqrt(g, a!) },
  sigmoid: { shapes: [[4]], build: (g, [a]) => sigmoid(g, a!) },
  silu: { shapes: [[2, 4]], build: (g, [a]) => silu(g, a!) },
  swiglu: {
    shapes: [
      [2, 4],
      [2, 4],
    ],
    build: (g, [a, b]) => mul(g, silu(g, a!), b!),
  },
  "sum over some axes": { shapes: [[2, 3, 4]], build: (g, [a]) => sum(g, a!, { axes: [0, 2] }) },
  "mean with kept axis": { shapes: [[2, 3]], build: (g, [a]) => mean(g, a!, -1, true) },
  reshape: { shapes: [[2, 6]], build: (g, [a]) => exp(g, reshape(g, a!, [3, 4])) },
  transpose: { shapes: [[2, 3, 4]], build: (g, [a]) => exp(g, transpose(g, a!, [2, 0, 1])) },
  broadcastTo: { shapes: [[3, 1]], build: (g, [a]) => exp(g, broadcastTo(g, a!, [2, 3, 4])) },
  concat: {
    shapes: [
      [2, 1],
      [2, 3],
    ],
    build: (g, [a, b]) => exp(g, concat(g, [a!, b!], 1)),
  },
  split: {
    shapes: [[2, 5]],
    build: (g, [a]) => {
      const [x, y] = split(g, a!, 1, [3, 2]);
      return concat(g, [exp(g, y!), mul(g, x!, x!)], 1);
    },
  },
  matmul: {
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!),
  },
  "matmul broadcast": {
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!, { alpha: 0.5 }),
  },
  "matmul aᵀ": {
    shapes: [
      [2, 4, 3],
      [2, 4, 5],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!, { transA: true }),
  },
  "matmul bᵀ": {
    shapes: [
      [2, 3, 4],
      [2, 5, 4],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!, { transB: true, alpha: 0.7 }),
  },
  "matmul aᵀbᵀ": {
    shapes: [
      [4, 3],
      [5, 4],
    ],
    build: (g, [a, b]) => matmul(g, a!, b!, { transA: true, transB: true, alpha: -2 }),
  },
  linear: { shapes: [[3, 4], [5, 4], [5]], build: (g, [x, w, b]) => linear(g, x!, w!, b!) },
  softmax: { shapes: [[2, 5]], build: (g, [a]) => softmax(g, a!) },
  logSoftmax: { shapes: [[2, 5]], build: (g, [a]) => logSoftmax(g, a!) },
  "tokenLogprob, a row asked twice and one never": {
    shapes: [[3, 5]],
    indices: { rows: { shape: [3], values: [2, 0, 2] }, targets: { shape: [3], values: [4, 0, 2] } },
    build: (g, [a], at) => tokenLogprob(g, a!, at.rows!, at.targets!),
  },
  rmsNorm: { shapes: [[3, 6], [6]], build: (g, [x, w]) => rmsNorm(g, x!, w!, 1e-2) },
  rope: {
    shapes: [[2, 3, 8]],
    indices: { positions: { shape: [2, 3], values: [0, 1, 2, 2, 3, 4] } },
    build: (g, [x], at) => rope(g, x!, 2, rotation(g, at)),
  },
  gather: {
    shapes: [[4, 3]],
    indices: { rows: { shape: [2, 3], values: [1, 3, 1, 0, 1, 3] } },
    build: (g, [table], at) => exp(g, gather(g, table!, at.rows!)),
  },
  takeRows: {
    shapes: [[4, 3]],
    indices: { rows: { shape: [2], values: [3, 1] }, inverse: { shape: [4], values: [2, 1, 2, 0] } },
    build: (g, [table], at) => exp(g, takeRows(g, table!, at.rows!, at.inverse!)),
  },
  "attention with grouped heads": {
    shapes: [
      [2, 4, 3, 2],
      [2, 2, 3, 2],
      [2, 2, 3, 2],
    ],
    build: (g, [q, k, v]) => {
      const mask = g.constant(g.float, [1, 1, 3, 3], [0, -1e4, -1e4, 0, 0, -1e4, 0, 0, 0]);
      return attention(g, q!, k!, v!, mask);
    },
  },
};

const size = (shape: Shape) => shape.reduce<number>((a, b) => a * (b as number), 1);

/** The loss and its derivatives with respect to every input, at given numbers. */
async function evaluate(definition: Case, float: "float32" | "float64", inputs: number[][]) {
  const graph = createGraph(float);
  const x = definition.shapes.map((shape, i) => graph.input(`x${i}`, float, shape));
  const entries = Object.entries(definition.indices ?? {});
  const at = Object.fromEntries(
    entries.map(([name, { shape }]) => [name, graph.input(name, "int64", shape)]),
  );
  const output = definition.build(graph, x, at);
  const rng = createRng(7);
  const weights = graph.constant(
    float,
    output.shape as number[],
    Array.from({ length: size(output.shape) }, rng.normal),
  );
  const loss = sum(graph, mul(graph, output, weights));
  graph.output("loss", loss);
  gradients(graph, loss, x).forEach((d, i) => void graph.output(`d${i}`, d));
  const session = await createSession(graph, { threads: 1 });
  const typed = float === "float32" ? Float32Array : Float64Array;
  const run = async (numbers: number[][]) => {
    const feeds: Record<string, Feed> = {};
    for (const [i, values] of numbers.entries())
      feeds[`x${i}`] = { data: typed.from(values), dims: definition.shapes[i]! };
    for (const [name, { shape, values }] of entries) {
      feeds[name] = { data: BigInt64Array.from(values, BigInt), dims: shape };
    }
    const result = await session.run(feeds);
    return {
      loss: Number(result.loss!.data[0]),
      derivatives: definition.shapes.map((_, i) => Array.from(result[`d${i}`]!.data, Number)),
    };
  };
  return { run, at: await run(inputs) };
}

function numbersFor({ shapes, positive }: Case): number[][] {
  const rng = createRng(3);
  return shapes.map((shape) =>
    Array.from({ length: size(shape) }, () => (positive ? 0.5 + rng.next() : rng.normal())),
  );
}

describe.each(Object.entries(cases))("%s", (_, definition) => {
  test("has the derivative that central differences measure", async () => {
    const inputs = numbersFor(definition);
    const { run, at } = await evaluate(definition, "float64", inputs);
    const h = 1e-5;
    for (const [i, values] of inputs.entries()) {
      for (let j = 0; j < values.length; j++) {
        const shifted = (by: number) =>
          inputs.map((row, k) => (k === i ? row.map((v, l) => (l === j ? v + by : v)) : row));
        const difference = ((await run(shifted(h))).loss - (await run(shifted(-h))).loss) / (2 * h);
        expect(at.derivatives[i]![j]).toBeCloseTo(difference, 7);
      }
    }
  });

  test("computes the same in float32", async () => {
    const inputs = numbersFor(definition);
    const double = (await evaluate(definition, "float64", inputs)).at;
    const single = (await evaluate(definition, "float32", inputs)).at;
    expect(single.loss).toBeCloseTo(double.loss, 4);
    single.derivatives.flat().forEach((d, i) => void expect(d).toBeCloseTo(double.derivatives.flat()[i]!, 4));
  });
});

test("emits no derivative for values that were not asked for", () => {
  const graph = createGraph();
  const x = graph.input("x", "float32", [2]);
  const y = graph.input("y", "float32", [2]);
  const loss = sum(graph, mul(graph, x, exp(graph, y)));
  const before = graph.nodes.length;
  gradients(graph, loss, [x]);
  // Only dx = expand(1)·exp(y): no node multiplies by exp(y) a second time for dy.
  expect(graph.nodes.slice(before).filter((node) => node.op === "Mul")).toHaveLength(1);
});

test("says so when the loss does not depend on a value", () => {
  const graph = createGraph();
  const x = graph.input("x", "float32", [2]);
  const y = graph.input("y", "float32", [2]);
  expect(() => gradients(graph, sum(graph, x), [y])).toThrow(/does not depend on "y"/);
});
