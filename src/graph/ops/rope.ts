/**
 * Rotary position embedding (Su et al. 2021) in Hugging Face's half-split layout: channel i pairs with channel i + D/2
 * of the same head. Its derivative is the rotation back.
 */
import type { Graph } from "../graph.ts";
import { graphError, multiplyDims, sameShape, type Value } from "../value.ts";
import { add, mul, neg, sub } from "./arithmetic.ts";
import { reshape } from "./broadcast.ts";
import { gather } from "./gather.ts";
import { concat, split } from "./shape.ts";

export interface Rotation {
  /** Position of every token. // int64 [B, T] */
  positions: Value;
  /** Cosines and sines by position. // [P, D/2] */
  cos: Value;
  sin: Value;
}

/** Rotates every head of x by its token's position. // [B, T, H*D] → [B, T, H*D] */
export function rope(graph: Graph, x: Value, heads: number, rotation: Rotation): Value {
  const { positions, cos, sin } = rotation;
  const half = cos.shape[1];
  const fits =
    x.shape.length === 3 &&
    typeof half === "number" &&
    x.shape[2] === heads * half * 2 &&
    sameShape(cos.shape, sin.shape) &&
    sameShape(positions.shape, x.shape.slice(0, 2));
  if (!fits)
    throw graphError("rope", `needs x [B, T, ${heads}·D], positions [B, T], cos [P, D/2]`, x, positions, cos);
  return graph.float === "float32" ? fused(graph, x, rotation) : composed(graph, x, heads, half, rotation);
}

function fused(graph: Graph, x: Value, rotation: Rotation): Value {
  const { positions, cos, sin } = rotation;
  const output = graph.node("RotaryEmbedding", [x, positions, cos, sin], x.dtype, x.shape, {
    domain: "com.microsoft",
    attributes: { interleaved: { int: 0 } },
  });
  graph.record({
    inputs: [x],
    output,
    backward: (d) => [() => fused(graph, d, { positions, cos, sin: neg(graph, sin) })],
  });
  return output;
}

function composed(graph: Graph, x: Value, heads: number, half: number, rotation: Rotation): Value {
  const [batch, time] = x.shape as [number, number];
  const angles = [batch, time, 1, half];
  const cos = reshape(graph, gather(graph, rotation.cos, rotation.positions), angles);
  const sin = reshape(graph, gather(graph, rotation.sin, rotation.positions), angles);
  const [first, second] = split(graph, reshape(graph, x, [batch, time, heads, 2 * half]), 3, [
    half,
    half,
  ]) as [Value, Value];
  const turned = concat(
    graph,
    [
      sub(graph, mul(graph, first, cos), mul(graph, second, sin)),
      add(graph, mul(graph, second, cos), mul(graph, first, sin)),
    ],
    3,
  );
  return reshape(graph, turned, [batch, time, multiplyDims([heads, 2 * half])]);
}
