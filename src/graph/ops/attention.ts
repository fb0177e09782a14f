/**
 * Masked softmax attention with grouped queries, composed from other ops (so its derivative follows from theirs).
 * Scores, probabilities and mask are [B, H, T, S]: T queries against S keys.
 */
import type { Graph } from "../graph.ts";
import { graphError, type Value } from "../value.ts";
import { add } from "./arithmetic.ts";
import { broadcastTo, reshape } from "./broadcast.ts";
import { matmul } from "./matmul.ts";
import { softmax } from "./softmax.ts";

/**
 * softmax(q·kᵀ/√D + mask)·v. The mask is added: 0 = may see, very negative = may not; it broadcasts to [B, H, T, S].
 * // q [B, H, T, D], k and v [B, K, S, D] with H a multiple of K → [B, H, T, D]
 */
export function attention(graph: Graph, q: Value, k: Value, v: Value, mask: Value): Value {
  const heads = q.shape[1];
  const size = q.shape[3];
  if (q.shape.length !== 4 || k.shape.length !== 4 || typeof heads !== "number" || typeof size !== "number") {
    throw graphError("attention", "needs q [B, H, T, D] and k [B, K, S, D] with known H, K, D", q, k);
  }
  const keys = repeatHeads(graph, k, heads);
  const values = repeatHeads(graph, v, heads);
  const scores = matmul(graph, q, keys, { transB: true, alpha: 1 / Math.sqrt(size) });
  return matmul(graph, softmax(graph, add(graph, scores, mask)), values);
}

/** Each key/value head serves heads/K neighbouring query heads, as in Hugging Face's repeat_kv. */
function repeatHeads(graph: Graph, x: Value, heads: number): Value {
  const [batch, groups, time, size] = x.shape;
  if (groups === heads) return x;
  if (typeof groups !== "number" || heads % groups !== 0) {
    throw graphError("attention", `${heads} query heads must be a multiple of the key heads`, x);
  }
  const repeats = heads / groups;
  const apart = reshape(graph, x, [batch!, groups, 1, time!, size!]);
  return reshape(graph, broadcastTo(graph, apart, [batch!, groups, repeats, time!, size!]), [
    batch!,
    heads,
    time!,
    size!,
  ]);
}
