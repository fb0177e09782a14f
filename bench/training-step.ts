/**
 * How near the machine's peak is a training step? Shape M, 32 rows of 128 tokens that share nothing, in turns with the
 * 1024³ product and with the step's own products, each alone. One JSON line.
 *
 * npx tsx bench/training-step.ts --rounds 5 [--threads 2]
 */
import { median } from "../src/core/median.ts";
import {
  benchConfig,
  createMatmul,
  gflopOfStep,
  openBenchModel,
  STEP,
  trainingStep,
} from "../src/engine/local/bench.ts";
import { TOKENS_PER_RUN as RUN } from "../src/engine/local/prefixes/runs.ts";
import { createGraph, createSession, type Graph, type Value } from "../src/graph/index.ts";
import { argument, peakMebibytes } from "./common.ts";

const { length: LENGTH, tokens: TOKENS } = STEP;
const rounds = Number(argument("rounds", "5"));
const threads = Number(argument("threads", "2"));
const config = benchConfig("M");

/** One product of the step: [batch ×] m × k by k × n, so many times a step. */
interface Product {
  dims: readonly [m: number, k: number, n: number];
  batch: number;
  times: number;
  transA?: boolean;
  transB?: boolean;
}

/** y = x·Wᵀ, dx = dy·W and dW = dyᵀ·x of every matrix, and the six products of attention, over the whole square. */
function productsOfStep(): Product[] {
  const { layers, heads, hiddenSize: C, headSize: D, intermediateSize: F, vocabSize: V } = config;
  const runs = TOKENS / RUN;
  const matrices: [inputs: number, outputs: number, times: number][] = [
    [C, 3 * C, layers],
    [C, C, layers],
    [C, F, 2 * layers],
    [F, C, layers],
    [C, V, 1],
  ];
  const linear = matrices.flatMap(([inputs, outputs, count]): Product[] => {
    const times = count * runs;
    return [
      { dims: [RUN, inputs, outputs], batch: 1, times, transB: true },
      { dims: [RUN, outputs, inputs], batch: 1, times },
      { dims: [outputs, RUN, inputs], batch: 1, times, transA: true },
    ];
  });
  const attention = { batch: (RUN / LENGTH) * heads, times: 2 * layers * runs };
  return [
    ...linear,
    { ...attention, dims: [LENGTH, D, LENGTH], transB: true }, // q·kᵀ and dO·vᵀ
    { ...attention, dims: [LENGTH, LENGTH, D] }, // p·v and dS·k
    { ...attention, dims: [LENGTH, LENGTH, D], transA: true }, // pᵀ·dO and dSᵀ·q
  ];
}

/**
 * Seconds of a product as the engine's graphs compute it, alone: an idle session's threads wait actively for a millisecond. Only
 * a row is returned, so that no copy is measured.
 */
async function productSeconds({ dims: [m, k, n], batch, transA = false, transB = false }: Product) {
  const graph = createGraph();
  const shaped = (rows: number, columns: number, transposed: boolean) => {
    const shape = transposed ? [columns, rows] : [rows, columns];
    return batch === 1 ? shape : [batch, ...shape];
  };
  const [shapeA, shapeB] = [shaped(m, k, transA), shaped(k, n, transB)];
  const a = graph.input("a", "float32", shapeA);
  const b = graph.input("b", "float32", shapeB);
  const product = node(graph, a, b, { transA, transB }, batch === 1 ? [m, n] : [batch, m, n]);
  const row = graph.constant("int64", [], [0]);
  graph.output("row", graph.node("Gather", [product, row], "float32", product.shape.slice(1)));
  const session = await createSession(graph, { threads });
  const feed = (dims: number[]) => ({
    data: new Float32Array(dims.reduce((x, y) => x * y, 1)).map((_, i) => Math.sin(i)),
    dims,
  });
  const feeds = { a: feed(shapeA), b: feed(shapeB) };
  await session.run(feeds);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await session.run(feeds);
    times.push((performance.now() - start) / 1000);
  }
  await session.release();
  return median(times);
}

function node(
  graph: Graph,
  a: Value,
  b: Value,
  { transA, transB }: { transA: boolean; transB: boolean },
  shape: number[],
): Value {
  const attributes = { transA: { int: Number(transA) }, transB: { int: Number(transB) } };
  if (shape.length === 2) return graph.node("Gemm", [a, b], "float32", shape, { attributes });
  return graph.node("FusedMatMul", [a, b], "float32", shape, { domain: "com.microsoft", attributes });
}

const engine = await openBenchModel("M", { threads, reference: false });
const products = productsOfStep();
const gflopOf = ({ dims: [m, k, n], batch, times }: Product) => (2 * m * k * n * batch * times) / 1e9;
const ownGflop = products.reduce((sum, product) => sum + gflopOf(product), 0);

await trainingStep(engine);
const [steps, optimizer, squares, own]: [number[], number[], number[], number[]] = [[], [], [], []];
for (let round = -1; round < rounds; round++) {
  const square = await createMatmul(threads);
  await square.run();
  const start = performance.now();
  await square.run();
  const squareSeconds = (performance.now() - start) / 1000;
  await square.release();
  let ownSeconds = 0;
  for (const product of products) ownSeconds += product.times * (await productSeconds(product));
  const step = await trainingStep(engine);
  if (round < 0) continue;
  squares.push(square.gflop / squareSeconds);
  own.push(ownSeconds);
  steps.push(step.seconds);
  optimizer.push(step.optimizerSeconds);
}
await engine.close();

const step = median(steps);
const stepGflops = gflopOfStep("M") / step;
const [squareGflops, ownGflops] = [median(squares), ownGflop / median(own)];
console.log(
  JSON.stringify({
    bench: "training-step",
    shape: "M",
    threads,
    tokens: TOKENS,
    step_s: step,
    tokens_s: Math.round(TOKENS / step),
    step_gflops: stepGflops,
    square_gflops: squareGflops,
    of_square: stepGflops / squareGflops,
    own_products_gflops: ownGflops,
    of_own_products: stepGflops / ownGflops,
    optimizer_of_step: median(optimizer) / step,
    peak_rss_mib: peakMebibytes(),
  }),
);
