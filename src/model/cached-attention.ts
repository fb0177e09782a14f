/**
 * Attention over a key/value cache and the new tokens, for sampling. The cache is only read: scores against it and
 * against the new keys are joined before the softmax, so the (large) cache is never copied. No derivative.
 */
import { concat, type Graph, matmul, reshape, softmax, type Value } from "../graph/index.ts";

/** Keys and values of one layer, keys already rotated. // [B, K, S, D] */
export interface Cache {
  keys: Value;
  values: Value;
}

/** // q [B, H, T, D], new keys and values [B, K, T, D], past [B, K, S, D], mask [B, 1, T, S+T] → [B, H, T, D] */
export function cachedAttention(graph: Graph, q: Value, fresh: Cache, past: Cache, mask: Value): Value {
  const [batch, heads, time, size] = q.shape as [string, number, string, number];
  const groups = fresh.keys.shape[1] as number;
  // Grouped queries: the heads that share a key head are stacked as further query rows of that head.
  const stacked = stackQueries(graph, q, groups);
  const alpha = 1 / Math.sqrt(size);
  const scores = concat(
    graph,
    [
      matmul(graph, stacked, past.keys, { transB: true, alpha }),
      matmul(graph, stacked, fresh.keys, { transB: true, alpha }),
    ],
    -1,
  );
  const keys = scores.shape.at(-1)!;
  const apart = graph.node("Reshape", [scores, headShape(graph, batch, heads, time)], q.dtype, [
    batch,
    heads,
    time,
    keys,
  ]);
  const masked = graph.node("Add", [apart, mask], q.dtype, apart.shape);
  const probabilities = softmax(graph, masked);
  const rows = stacked.shape[2]!;
  const regrouped =
    groups === heads
      ? probabilities
      : graph.node("Reshape", [probabilities, headShape(graph, batch, groups, rows)], q.dtype, [
          batch,
          groups,
          rows,
          keys,
        ]);
  const cached = past.keys.shape[2]!;
  const boundary = graph.node("Shape", [past.keys], "int64", [1], {
    attributes: { start: { int: 2 }, end: { int: 3 } },
  });
  const axis = graph.constant("int64", [1], [-1]);
  const start = graph.constant("int64", [1], [0]);
  const end = graph.constant("int64", [1], [2 ** 31 - 1]);
  const shape = regrouped.shape.slice(0, 3);
  const overPast = graph.node("Slice", [regrouped, start, boundary, axis], q.dtype, [...shape, cached]);
  const overFresh = graph.node("Slice", [regrouped, boundary, end, axis], q.dtype, [...shape, time]);
  const mixed = graph.node(
    "Add",
    [matmul(graph, overPast, past.values), matmul(graph, overFresh, fresh.values)],
    q.dtype,
    [...shape, size],
  );
  return groups === heads ? mixed : reshape(graph, mixed, [batch, heads, time, size]);
}

/** // [B, H, T, D] → [B, K, (H/K)·T, D] */
function stackQueries(graph: Graph, q: Value, groups: number): Value {
  const [batch, heads, time, size] = q.shape as [string, number, string, number];
  if (groups === heads) return q;
  return reshape(graph, q, [batch, groups, `${heads / groups}*${time}`, size]);
}

/** [batch, heads, rows, −1]: the key axis is a sum of symbols, which only the runtime knows. */
function headShape(graph: Graph, batch: string, heads: number, rows: string | number): Value {
  const known = graph.shapeTensor([batch, heads, rows], true);
  const rest = graph.constant("int64", [1], [-1]);
  return graph.node("Concat", [known, rest], "int64", [4], { attributes: { axis: { int: 0 } } });
}
