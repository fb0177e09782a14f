/**
 * Matrix products and their derivatives. In float32 transposes and factors are fused into the product
 * (com.microsoft.FusedMatMul, Gemm); in float64, where FusedMatMul has no kernel, they are separate nodes.
 */
import type { Graph } from "../graph.ts";
import { broadcastShapes, type Dim, graphError, type Shape, type Value } from "../value.ts";
import { mul } from "./arithmetic.ts";
import { sum, sumTo } from "./broadcast.ts";
import { transpose } from "./shape.ts";

export interface MatmulOptions {
  /** Use a with its last two axes swapped. */
  transA?: boolean;
  transB?: boolean;
  /** A factor on the product. */
  alpha?: number;
}

/** alpha · a @ b over the last two axes; leading axes broadcast. // [..., M, K] @ [..., K, N] → [..., M, N] */
export function matmul(graph: Graph, a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  const output = emitMatmul(graph, a, b, transA, transB, alpha);
  graph.record({
    inputs: [a, b],
    output,
    backward: (d) => [
      () => {
        const dA = transA
          ? matmul(graph, b, d, { transA: transB, transB: true, alpha })
          : matmul(graph, d, b, { transB: !transB, alpha });
        return sumTo(graph, dA, a.shape);
      },
      () => {
        const dB = transB
          ? matmul(graph, d, a, { transA: true, transB: transA, alpha })
          : matmul(graph, a, d, { transA: !transA, alpha });
        return sumTo(graph, dB, b.shape);
      },
    ],
  });
  return output;
}

function emitMatmul(
  graph: Graph,
  a: Value,
  b: Value,
  transA: boolean,
  transB: boolean,
  alpha: number,
): Value {
  const shape = productShape("matmul", a, b, transA, transB);
  if (a.dtype !== graph.float || b.dtype !== graph.float)
    throw graphError("matmul", `needs ${graph.float}`, a, b);
  if (graph.float === "float32" && (transA || transB || alpha !== 1)) {
    return graph.node("FusedMatMul", [a, b], a.dtype, shape, {
      domain: "com.microsoft",
      attributes: {
        transA: { int: Number(transA) },
        transB: { int: Number(transB) },
        alpha: { float: alpha },
      },
    });
  }
  const left = transA ? swapLast(graph, a) : a;
  const right = transB ? swapLast(graph, b) : b;
  const product = graph.node("MatMul", [left, right], a.dtype, shape);
  return alpha === 1 ? product : graph.node("Mul", [product, graph.scalar(alpha)], a.dtype, shape);
}

function swapLast(graph: Graph, x: Value): Value {
  const rank = x.shape.length;
  return transpose(graph, x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

function productShape(op: string, a: Value, b: Value, transA: boolean, transB: boolean): Shape {
  const [m, k] = lastTwo(op, a, transA);
  const [k2, n] = lastTwo(op, b, transB);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (k !== k2 || !batch)
    throw graphError(op, `inner dimensions must agree and leading ones broadcast`, a, b);
  return [...batch, m, n];
}

function lastTwo(op: string, x: Value, swapped: boolean): [Dim, Dim] {
  if (x.shape.length < 2) throw graphError(op, "needs at least two axes", x);
  const [rows, columns] = x.shape.slice(-2) as [Dim, Dim];
  return swapped ? [columns, rows] : [rows, columns];
}

/** x @ weightᵀ + bias: weights stand as Hugging Face stores them. // [N, in], [out, in], [out] → [N, out] */
export function linear(graph: Graph, x: Value, weight: Value, bias?: Value): Value {
  const shape = productShape("linear", x, weight, false, true);
  if (x.shape.length !== 2 || weight.shape.length !== 2)
    throw graphError("linear", "needs matrices", x, weight);
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== weight.shape[0])) {
    throw graphError("linear", "the bias must have one entry per output", weight, bias);
  }
  const inputs = bias ? [x, weight, bias] : [x, weight];
  const output = graph.node("Gemm", inputs, x.dtype, shape, { attributes: { transB: { int: 1 } } });
  graph.record({
    inputs,
    output,
    backward: (d) => [
      () => matmul(graph, d, weight),
      () => gemmTransA(graph, d, x),
      () => sum(graph, d, { axes: [0] }),
    ],
  });
  return output;
}

/** aᵀ @ b of matrices. // [N, M], [N, K] → [M, K] */
function gemmTransA(graph: Graph, a: Value, b: Value): Value {
  const shape = productShape("gemm", a, b, true, false);
  return graph.node("Gemm", [a, b], a.dtype, shape, { attributes: { transA: { int: 1 } } });
}

/** x · factor. */
export function scale(graph: Graph, x: Value, factor: number): Value {
  return factor === 1 ? x : mul(graph, x, graph.scalar(factor));
}
