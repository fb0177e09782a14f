/**
 * Two ways each to compute the small pieces of a decoding step, in turns: which the sampling graph takes, and why.
 * Microseconds a node group, the best of many runs. One JSON line per piece.
 *
 * npx tsx bench/products.ts
 */
import {
  createGraph,
  createSession,
  type Feed,
  type Graph,
  linear,
  matmul,
  mul,
  silu,
  split,
  sum,
  type Value,
} from "../src/graph/index.ts";

/** So many independent copies in one graph, whose outputs are single numbers: copying outputs would hide the rest. */
const COPIES = 8;
const RUNS = 200;

type Build = (graph: Graph, inputs: Value[]) => Value;

/** Milliseconds of the fastest run of each way. */
async function compare(dims: number[][], ways: Build[]): Promise<number[]> {
  const feeds: Record<string, Feed> = {};
  const sessions = await Promise.all(
    ways.map((build) => {
      const graph = createGraph();
      for (let copy = 0; copy < COPIES; copy++) {
        const inputs = dims.map((shape, i) => {
          const data = new Float32Array(shape.reduce((a, b) => a * b)).map((_, j) => Math.sin(i + j));
          feeds[`${i}.${copy}`] ??= { data, dims: shape };
          return graph.input(`${i}.${copy}`, "float32", shape);
        });
        graph.output(`total.${copy}`, sum(graph, build(graph, inputs)));
      }
      return createSession(graph, { threads: 2 });
    }),
  );
  const best = ways.map(() => Number.POSITIVE_INFINITY);
  for (let run = 0; run < RUNS; run++) {
    for (const [way, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      best[way] = Math.min(best[way]!, performance.now() - start);
    }
  }
  for (const session of sessions) await session.release();
  return best;
}

async function report(piece: string, dims: number[][], ways: Record<string, Build>) {
  const best = await compare(dims, Object.values(ways));
  const microseconds = Object.keys(ways).map((way, i) => [way, Math.round((1000 * best[i]!) / COPIES)]);
  console.log(JSON.stringify({ bench: "products", piece, ...Object.fromEntries(microseconds) }));
}

const [rows, heads, entries, size] = [256, 4, 64, 32];
const query = [rows, heads, 1, size];
await report("scores against 64 entries", [query, [rows, heads, entries, size]], {
  with_factor: (g, [q, k]) => matmul(g, q!, k!, { transB: true, alpha: 1 / Math.sqrt(size) }),
  without: (g, [q, k]) => matmul(g, q!, k!, { transB: true }),
});
await report("the new token's own score", [query, query], {
  matrices: (g, [q, k]) => matmul(g, q!, k!, { transB: true }),
  sum: (g, [q, k]) => sum(g, mul(g, q!, k!), { axes: [-1], keepDims: true }),
});
await report("its share of the output", [[rows, heads, 1, 1], query], {
  matrices: (g, [p, v]) => matmul(g, p!, v!),
  elementwise: (g, [p, v]) => mul(g, p!, v!),
});
const [hidden, inner] = [256, 704];
for (const tokens of [1, 64, 256]) {
  const dims = [
    [tokens, hidden],
    [2 * inner, hidden],
    [inner, hidden],
    [inner, hidden],
  ];
  await report(`gate and up of ${tokens} rows`, dims, {
    one_cut: (g, [x, both]) => {
      const [gate, up] = split(g, linear(g, x!, both!), 1, [inner, inner]) as [Value, Value];
      return mul(g, silu(g, gate), up);
    },
    two: (g, [x, , gate, up]) => mul(g, silu(g, linear(g, x!, gate!)), linear(g, x!, up!)),
  });
}
