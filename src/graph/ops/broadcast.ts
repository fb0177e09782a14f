/**
 * Reshaping, stretching and summing: ops that are each other's derivatives, and so live together.
 */
import type { Graph } from "../graph.ts";
import { broadcastShapes, graphError, multiplyDims, type Shape, sameShape, type Value } from "../value.ts";

/** The same numbers in row-major order under another shape. */
export function reshape(graph: Graph, x: Value, shape: Shape): Value {
  if (multiplyDims(x.shape) !== multiplyDims(shape)) {
    throw graphError("reshape", `cannot become [${shape.join(", ")}]: the sizes differ`, x);
  }
  if (sameShape(x.shape, shape)) return x;
  const output = graph.node("Reshape", [x, graph.shapeTensor(shape)], x.dtype, shape);
  graph.record({ inputs: [x], output, backward: (d) => [() => reshape(graph, d, x.shape)] });
  return output;
}

/** x repeated along its axes of size 1 (and new leading axes) up to `shape`. */
export function broadcastTo(graph: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const target = broadcastShapes(x.shape, shape);
  if (!target || !sameShape(target, shape)) {
    throw graphError("broadcastTo", `cannot become [${shape.join(", ")}]`, x);
  }
  const output = graph.node("Expand", [x, graph.shapeTensor(shape, true)], x.dtype, shape);
  graph.record({ inputs: [x], output, backward: (d) => [() => sumTo(graph, d, x.shape)] });
  return output;
}

/** The sum over `axes` (default all); reduced axes stay as size 1 with `keepDims`. */
export function sum(
  graph: Graph,
  x: Value,
  options: { axes?: readonly number[]; keepDims?: boolean } = {},
): Value {
  const axes = (options.axes ?? x.shape.map((_, i) => i)).map((axis) =>
    axis < 0 ? axis + x.shape.length : axis,
  );
  if (x.dtype !== graph.float) throw graphError("sum", `needs ${graph.float}`, x);
  if (axes.some((axis) => axis < 0 || axis >= x.shape.length)) {
    throw graphError("sum", `axes [${axes.join(", ")}] must exist`, x);
  }
  const kept = x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const shape = options.keepDims ? kept : x.shape.filter((_, i) => !axes.includes(i));
  const axesTensor = graph.constant("int64", [axes.length], axes);
  const output = graph.node("ReduceSum", [x, axesTensor], x.dtype, shape, {
    attributes: { keepdims: { int: options.keepDims ? 1 : 0 } },
  });
  graph.record({
    inputs: [x],
    output,
    backward: (d) => [() => broadcastTo(graph, reshape(graph, d, kept), x.shape)],
  });
  return output;
}

/** Undoes broadcasting: sums x over the axes along which `shape` was stretched. */
export function sumTo(graph: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape
    .map((_, i) => i)
    .filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1));
  const reduced = axes.length > 0 ? sum(graph, x, { axes, keepDims: true }) : x;
  if (multiplyDims(reduced.shape) !== multiplyDims(shape)) {
    throw graphError("sumTo", `cannot reduce to [${shape.join(", ")}]`, x);
  }
  return lead > 0 ? reshape(graph, reduced, shape) : reduced;
}
