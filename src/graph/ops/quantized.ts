/**
 * Products with matrices that are kept as 8-bit integers and a factor for each output, never as floats. Both factors of the
 * product are integers, whose sums are exact: a row's result depends on no other row. Knows no model.
 */
import type { Graph } from "../graph.ts";
import { type Dim, graphError, multiplyDims, type Shape, type Value } from "../value.ts";
import { add, mul } from "./arithmetic.ts";
import { matmul } from "./matmul.ts";
import { cutEqually, transpose } from "./shape.ts";

export interface QuantizedMatrix {
  /** Inputs by outputs, as the runtime's integer product takes them. // int8 [K, N] */
  values: Value;
  /** What an output's integers count. // [N] */
  scales: Value;
  /** `values` as floats, for derivatives; a value of its own, so that it need not live from the forward pass on. */
  floats?: Value;
}

/**
 * Inputs become two integers of 7 bits, of which one is a hundred and twenty-eighth of the other: 14 bits of the row's
 * largest. Not 8 bits each: without VNNI the runtime adds pairs of products in 16 bits, and 2 · 255 · 127 does not fit.
 */
const STEPS = 63;
const FINER = 128;
const ZERO_POINT = 64;
/** A row of zeros has no largest to be measured by. */
const LEAST = 1e-30;

/** x @ Wᵀ + bias, where x is rounded as above; the derivative is the exact product's. // [M, K], [K, N], [N] → [M, N] */
export function quantizedLinear(graph: Graph, x: Value, matrix: QuantizedMatrix, bias?: Value): Value {
  const { values, scales, floats } = matrix;
  const [rows, inputs] = x.shape as [Dim, Dim];
  const outputs = values.shape[1]!;
  if (x.shape.length !== 2 || inputs !== values.shape[0] || values.dtype !== "int8") {
    throw graphError("quantizedLinear", "needs [M, K] and int8 [K, N]", x, values);
  }
  const shape = [rows, outputs];
  const { pieces, unit } = roundRows(graph, x);
  const one = graph.scalar(1);
  const doubled = [multiplyDims([2, rows]), outputs];
  const factors = [pieces, values, one, scales, zeroPoint(graph)];
  const products = graph.node("MatMulIntegerToFloat", factors, graph.float, doubled, MICROSOFT);
  const [coarse, fine] = cutEqually(graph, products, 0, 2, rows) as [Value, Value];
  const finer = graph.node("Mul", [fine, graph.scalar(1 / FINER)], graph.float, shape);
  const sum = graph.node("Add", [coarse, finer], graph.float, shape);
  const product = graph.node("Mul", [sum, unit], graph.float, shape);
  graph.record({
    inputs: [x],
    output: product,
    backward: (d) => [
      () => {
        if (!floats) throw graphError("quantizedLinear", "a derivative needs the matrix as floats", values);
        return matmul(graph, mul(graph, d, scales), floats, { transB: true });
      },
    ],
  });
  return bias ? add(graph, product, bias) : product;
}

const MICROSOFT = { domain: "com.microsoft" } as const;

function zeroPoint(graph: Graph): Value {
  return graph.constant("uint8", [], [ZERO_POINT]);
}

/** Coarse pieces of all rows, then their fine ones; both count `unit`, the fine ones a part of it. // [M, K] → uint8 [2M, K], [M, 1] */
function roundRows(graph: Graph, x: Value): { pieces: Value; unit: Value } {
  const node = (op: string, inputs: readonly Value[], shape: Shape = x.shape) =>
    graph.node(op, inputs, graph.float, shape);
  const [rows, width] = x.shape as [Dim, Dim];
  const lastAxis = graph.constant("int64", [1], [-1]);
  const largest = node("ReduceMax", [node("Abs", [x]), lastAxis], [rows, 1]);
  const some = node("Max", [largest, graph.scalar(LEAST)], [rows, 1]);
  const unit = node("Div", [some, graph.scalar(STEPS)], [rows, 1]);
  const counted = node("Div", [x, unit]);
  const coarse = node("Round", [counted]);
  const fine = node("Mul", [node("Sub", [counted, coarse]), graph.scalar(FINER)]);
  const both = graph.node("Concat", [coarse, fine], graph.float, [multiplyDims([2, rows]), width], {
    attributes: { axis: { int: 0 } },
  });
  const pieces = graph.node("QuantizeLinear", [both, graph.scalar(1), zeroPoint(graph)], "uint8", both.shape);
  return { pieces, unit };
}

/** Row indices[...] of the table that the matrix is as [N, K]. // int64 [M] → [M, K] */
export function quantizedRows(graph: Graph, { values, scales }: QuantizedMatrix, indices: Value): Value {
  const [inputs] = values.shape as [Dim, Dim];
  const [rows] = indices.shape as [Dim];
  const take = (from: Value, axis: number, shape: Shape) =>
    graph.node("Gather", [from, indices], from.dtype, shape, { attributes: { axis: { int: axis } } });
  const columns = toFloat(graph, take(values, 1, [inputs, rows]));
  return transpose(graph, mul(graph, columns, take(scales, 0, [rows])), [1, 0]);
}

/** Integers as floats. */
export function toFloat(graph: Graph, x: Value): Value {
  return graph.node("Cast", [x], graph.float, x.shape, { attributes: { to: { int: 1 } } });
}

/** Inputs whose 4-bit integers have a factor in common. */
export const NIBBLE_BLOCK = 32;
/** The nibble that means 0. */
export const NIBBLE_ZERO = 8;

/**
 * 8-bit integers out of 4-bit ones and the factor of each block of inputs. A byte's low half belongs to the block's
 * first 16 inputs, its high half to the others. // uint8 [K / 32, 16, N], int8 [K / 32, 1, N] → int8 [K, N]
 */
export function unpackNibbles(graph: Graph, nibbles: Value, multipliers: Value): Value {
  const [blocks, half, outputs] = nibbles.shape as [number, number, number];
  const byte = (number: number) => graph.constant("uint8", [], [number]);
  const low = graph.node("BitwiseAnd", [nibbles, byte(15)], "uint8", nibbles.shape);
  const high = graph.node("BitShift", [nibbles, byte(4)], "uint8", nibbles.shape, {
    attributes: { direction: { string: "RIGHT" } },
  });
  const shape = [blocks, 2 * half, outputs];
  const all = graph.node("Concat", [low, high], "uint8", shape, { attributes: { axis: { int: 1 } } });
  const signed = graph.node("Cast", [all], "int8", shape, { attributes: { to: { int: 3 } } });
  const zero = graph.constant("int8", [], [NIBBLE_ZERO]);
  const centred = graph.node("Sub", [signed, zero], "int8", shape);
  const whole = graph.node("Mul", [centred, multipliers], "int8", shape);
  const target = graph.constant("int64", [2], [blocks * 2 * half, outputs]);
  return graph.node("Reshape", [whole, target], "int8", [blocks * 2 * half, outputs]);
}
