/** Transposing, joining and cutting, and their derivatives. */
import type { Graph } from "../graph.ts";
import { type Dim, graphError, type Value } from "../value.ts";

/** Axis i of the result is axis permutation[i] of x. */
export function transpose(graph: Graph, x: Value, permutation: readonly number[]): Value {
  const expected = x.shape.map((_, i) => i).join();
  if ([...permutation].sort((a, b) => a - b).join() !== expected) {
    throw graphError("transpose", `[${permutation.join(", ")}] must permute all axes`, x);
  }
  const shape = permutation.map((axis) => x.shape[axis]!);
  const output = graph.node("Transpose", [x], x.dtype, shape, {
    attributes: { perm: { ints: permutation } },
  });
  const inverse = permutation.map((_, i) => permutation.indexOf(i));
  graph.record({ inputs: [x], output, backward: (d) => [() => transpose(graph, d, inverse)] });
  return output;
}

/** Values side by side along an axis; all other dimensions must agree. */
export function concat(graph: Graph, values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) throw graphError("concat", "needs at least one value");
  const at = axis < 0 ? axis + first.shape.length : axis;
  for (const value of values) {
    const fits =
      value.shape.length === first.shape.length &&
      value.shape.every((d, i) => i === at || d === first.shape[i]);
    if (!fits || value.dtype !== first.dtype) {
      throw graphError("concat", `all but axis ${at} must agree`, first, value);
    }
  }
  const shape = first.shape.map((dim, i) => (i === at ? addDims(values.map((v) => v.shape[at]!)) : dim));
  const output = graph.node("Concat", values, first.dtype, shape, { attributes: { axis: { int: at } } });
  graph.record({
    inputs: values,
    output,
    backward: (d) => {
      const sizes = values.map((value) => {
        const size = value.shape[at];
        if (typeof size !== "number")
          throw graphError("concat", `axis ${at} needs known sizes to derive`, value);
        return size;
      });
      let parts: Value[] | undefined;
      return values.map((_, i) => () => {
        parts ??= split(graph, d, at, sizes);
        return parts[i]!;
      });
    },
  });
  return output;
}

function addDims(dims: readonly Dim[]): Dim {
  if (dims.every((dim) => typeof dim === "number")) return dims.reduce((a, b) => a + b, 0);
  return dims.length === 1 ? dims[0]! : `(${dims.join("+")})`;
}

/** Parts of known sizes along an axis. */
export function split(graph: Graph, x: Value, axis: number, sizes: readonly number[]): Value[] {
  const at = axis < 0 ? axis + x.shape.length : axis;
  if (sizes.reduce((a, b) => a + b, 0) !== x.shape[at]) {
    throw graphError("split", `sizes [${sizes.join(", ")}] must add up to axis ${at}`, x);
  }
  const shapes = sizes.map((size) => ({
    dtype: x.dtype,
    shape: x.shape.map((dim, i) => (i === at ? size : dim)),
  }));
  const outputs = graph.nodeWithOutputs(
    "Split",
    [x, graph.constant("int64", [sizes.length], sizes)],
    shapes,
    {
      attributes: { axis: { int: at } },
    },
  );
  outputs.forEach((output, i) => {
    graph.record({ inputs: [x], output, backward: (d) => [() => pad(graph, d, at, sizes, i)] });
  });
  return outputs;
}

/**
 * Equal parts along an axis, of a size that may be known at run time only. No derivative.
 * // [..., count·size, ...] → count times [..., size, ...]
 */
export function cutEqually(graph: Graph, x: Value, axis: number, count: number, size: Dim): Value[] {
  const part = { dtype: x.dtype, shape: x.shape.with(axis, size) };
  const attributes = { axis: { int: axis }, num_outputs: { int: count } };
  return graph.nodeWithOutputs("Split", [x], Array<typeof part>(count).fill(part), { attributes });
}

/** Zeros around a part: the derivative of a split. */
function pad(graph: Graph, d: Value, axis: number, sizes: readonly number[], index: number): Value {
  const rank = d.shape.length;
  const before = sizes.slice(0, index).reduce((a, b) => a + b, 0);
  const after = sizes.slice(index + 1).reduce((a, b) => a + b, 0);
  const pads = new Array<number>(2 * rank).fill(0);
  pads[axis] = before;
  pads[rank + axis] = after;
  const shape = d.shape.map((dim, i) => (i === axis ? before + sizes[index]! + after : dim));
  return graph.node("Pad", [d, graph.constant("int64", [2 * rank], pads), graph.scalar(0)], d.dtype, shape);
}
