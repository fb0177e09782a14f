/** A matrix of weights in a graph, however it is kept: as floats, or as integers beside an adapter. */
import {
  type Graph,
  gather,
  linear,
  type QuantizedMatrix,
  quantizedLinear,
  quantizedRows,
  type Value,
} from "../graph/index.ts";

/** [out, in] in either form. */
export type Matrix = Value | QuantizedMatrix;

export function isQuantized(matrix: Matrix): matrix is QuantizedMatrix {
  return "scales" in matrix;
}

/** x @ matrixᵀ + bias. // [N, in], [out, in], [out] → [N, out] */
export function product(graph: Graph, x: Value, matrix: Matrix, bias?: Value): Value {
  return isQuantized(matrix) ? quantizedLinear(graph, x, matrix, bias) : linear(graph, x, matrix, bias);
}

/** The matrix's rows. // int64 [N] → [N, in] */
export function rowsOf(graph: Graph, matrix: Matrix, indices: Value): Value {
  return isQuantized(matrix) ? quantizedRows(graph, matrix, indices) : gather(graph, matrix, indices);
}
