/**
 * Elementwise ops with NumPy broadcasting, and their derivatives. A derivative is summed back to its input's shape.
 */
import type { Graph } from "../graph.ts";
import { broadcastShapes, graphError, type Shape, type Value } from "../value.ts";
import { sum, sumTo } from "./broadcast.ts";

function broadcast(op: string, a: Value, b: Value): Shape {
  const shape = broadcastShapes(a.shape, b.shape);
  if (!shape || a.dtype !== b.dtype) throw graphError(op, "operands must broadcast and share a dtype", a, b);
  return shape;
}

function requireFloat(graph: Graph, op: string, x: Value): void {
  if (x.dtype !== graph.float) throw graphError(op, `needs ${graph.float}`, x);
}

/** a + b. */
export function add(graph: Graph, a: Value, b: Value): Value {
  const output = graph.node("Add", [a, b], a.dtype, broadcast("add", a, b));
  graph.record({
    inputs: [a, b],
    output,
    backward: (d) => [() => sumTo(graph, d, a.shape), () => sumTo(graph, d, b.shape)],
  });
  return output;
}

/** a − b. */
export function sub(graph: Graph, a: Value, b: Value): Value {
  const output = graph.node("Sub", [a, b], a.dtype, broadcast("sub", a, b));
  graph.record({
    inputs: [a, b],
    output,
    backward: (d) => [() => sumTo(graph, d, a.shape), () => sumTo(graph, neg(graph, d), b.shape)],
  });
  return output;
}

/** a · b. */
export function mul(graph: Graph, a: Value, b: Value): Value {
  const output = graph.node("Mul", [a, b], a.dtype, broadcast("mul", a, b));
  graph.record({
    inputs: [a, b],
    output,
    backward: (d) => [
      () => sumTo(graph, mul(graph, d, b), a.shape),
      () => sumTo(graph, mul(graph, d, a), b.shape),
    ],
  });
  return output;
}

/** a / b. */
export function div(graph: Graph, a: Value, b: Value): Value {
  const output = graph.node("Div", [a, b], a.dtype, broadcast("div", a, b));
  graph.record({
    inputs: [a, b],
    output,
    backward: (d) => [
      () => sumTo(graph, div(graph, d, b), a.shape),
      () => sumTo(graph, neg(graph, div(graph, mul(graph, d, output), b)), b.shape),
    ],
  });
  return output;
}

/** The smaller of a and b; where they are equal the derivative goes to a. */
export function min(graph: Graph, a: Value, b: Value): Value {
  return pick(graph, "Min", "LessOrEqual", a, b);
}

/** The larger of a and b; where they are equal the derivative goes to a. */
export function max(graph: Graph, a: Value, b: Value): Value {
  return pick(graph, "Max", "GreaterOrEqual", a, b);
}

function pick(graph: Graph, op: "Min" | "Max", test: string, a: Value, b: Value): Value {
  const shape = broadcast(op.toLowerCase(), a, b);
  const output = graph.node(op, [a, b], a.dtype, shape);
  const zero = () => graph.scalar(0);
  graph.record({
    inputs: [a, b],
    output,
    backward: (d) => {
      const isA = graph.node(test, [a, b], "bool", shape);
      return [
        () => sumTo(graph, graph.node("Where", [isA, d, zero()], d.dtype, shape), a.shape),
        () => sumTo(graph, graph.node("Where", [isA, zero(), d], d.dtype, shape), b.shape),
      ];
    },
  });
  return output;
}

function unary(graph: Graph, op: string, x: Value, derivative: (d: Value, output: Value) => Value): Value {
  requireFloat(graph, op.toLowerCase(), x);
  const output = graph.node(op, [x], x.dtype, x.shape);
  graph.record({ inputs: [x], output, backward: (d) => [() => derivative(d, output)] });
  return output;
}

/** −x. */
export function neg(graph: Graph, x: Value): Value {
  return unary(graph, "Neg", x, (d) => neg(graph, d));
}

/** e^x. */
export function exp(graph: Graph, x: Value): Value {
  return unary(graph, "Exp", x, (d, y) => mul(graph, d, y));
}

/** ln x. */
export function log(graph: Graph, x: Value): Value {
  return unary(graph, "Log", x, (d) => div(graph, d, x));
}

/** √x. */
export function sqrt(graph: Graph, x: Value): Value {
  return unary(graph, "Sqrt", x, (d, y) => div(graph, mul(graph, d, graph.scalar(0.5)), y));
}

/** 1 / (1 + e^−x). */
export function sigmoid(graph: Graph, x: Value): Value {
  return unary(graph, "Sigmoid", x, (d, y) => mul(graph, d, sub(graph, y, mul(graph, y, y))));
}

/** x · sigmoid(x) (SiLU, also called swish). */
export function silu(graph: Graph, x: Value): Value {
  requireFloat(graph, "silu", x);
  const gate = graph.node("Sigmoid", [x], x.dtype, x.shape);
  const output = graph.node("Mul", [x, gate], x.dtype, x.shape);
  graph.record({
    inputs: [x],
    output,
    // s + x·s·(1 − s) = s + y − y·s: one product and two sums over tensors that the forward pass left.
    backward: (d) => [() => mul(graph, d, add(graph, gate, sub(graph, output, mul(graph, output, gate))))],
  });
  return output;
}

/** The same numbers, through which no derivative flows. */
export function stopGradient(graph: Graph, x: Value): Value {
  return graph.node("Identity", [x], x.dtype, x.shape);
}

/** The mean over one axis of known size. */
export function mean(graph: Graph, x: Value, axis: number, keepDims = false): Value {
  const size = x.shape[axis < 0 ? axis + x.shape.length : axis];
  if (typeof size !== "number") throw graphError("mean", `axis ${axis} must have a known size`, x);
  return mul(graph, sum(graph, x, { axes: [axis], keepDims }), graph.scalar(1 / size));
}
