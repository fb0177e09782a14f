/** Does the runtime load here, and does it compute? Tried with one product, of which the answer is known. */
import { createRequire } from "node:module";
import { createRng } from "../../core/rng.ts";
import { createGraph, createSession, matmul } from "../../graph/index.ts";

// CommonJS on purpose: see graph/session.ts.
const require = createRequire(import.meta.url);

const SIZE = 64;

export interface RuntimeTrial {
  version: string;
  /** Elements of the product that are not what they must be, of how many. */
  wrong: number;
  elements: number;
}

/** Multiplies two matrices of small whole numbers, which float32 does exactly. Throws what loading the runtime throws. */
export async function tryRuntime(): Promise<RuntimeTrial> {
  const graph = createGraph();
  const dims = [SIZE, SIZE];
  graph.output("y", matmul(graph, graph.input("a", "float32", dims), graph.input("b", "float32", dims)));
  const session = await createSession(graph, { threads: 1 });
  try {
    const rng = createRng(1);
    const matrix = () => Float32Array.from({ length: SIZE * SIZE }, () => rng.int(-3, 3));
    const [a, b] = [matrix(), matrix()];
    const { y } = await session.run({ a: { data: a, dims }, b: { data: b, dims } });
    const { env } = require("onnxruntime-node") as typeof import("onnxruntime-node");
    return {
      version: env.versions.node ?? "unknown",
      wrong: countWrong(a, b, y!.data as Float32Array),
      elements: SIZE * SIZE,
    };
  } finally {
    await session.release();
  }
}

/** Elements of a product that differ from the sums that they stand for. */
export function countWrong(a: Float32Array, b: Float32Array, product: Float32Array): number {
  let wrong = 0;
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      let sum = 0;
      for (let k = 0; k < SIZE; k++) sum += a[SIZE * row + k]! * b[SIZE * k + column]!;
      if (product[SIZE * row + column] !== sum) wrong++;
    }
  }
  return wrong;
}
