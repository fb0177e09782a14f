/** Rows of a table by index (an embedding look-up, or a choice of rows), and their derivatives. */
import type { Graph } from "../graph.ts";
import { graphError, multiplyDims, sameShape, type Value } from "../value.ts";
import { broadcastTo, reshape } from "./broadcast.ts";

/** Row indices[...] of a table. // [R, C], int64 [...] → [..., C] */
export function gather(graph: Graph, table: Value, indices: Value): Value {
  if (table.shape.length !== 2 || indices.dtype !== "int64") {
    throw graphError("gather", "needs a table [R, C] and int64 indices", table, indices);
  }
  const [rows, columns] = table.shape;
  const output = graph.node("Gather", [table, indices], table.dtype, [...indices.shape, columns!], {
    attributes: { axis: { int: 0 } },
  });
  graph.record({
    inputs: [table],
    output,
    // Rows that were taken several times add up. Not ScatterND: its kernel adds in parallel without locks, so that
    // repeated rows lose updates at random.
    backward: (d) => [
      () => {
        const count = multiplyDims(indices.shape);
        const zeros = broadcastTo(graph, reshape(graph, graph.scalar(0), [1, 1]), [rows!, columns!]);
        const at = broadcastTo(graph, reshape(graph, indices, [count, 1]), [count, columns!]);
        const updates = reshape(graph, d, [count, columns!]);
        return graph.node("ScatterElements", [zeros, at, updates], table.dtype, table.shape, {
          attributes: { axis: { int: 0 }, reduction: { string: "add" } },
        });
      },
    ],
  });
  return output;
}

/**
 * Rows of a table of which none is taken twice, so that the derivative is a look-up too: `inverse` holds for each row of
 * the table its index among those taken, or their number when it is left out. // [R, C], int64 [...], int64 [R] → [..., C]
 */
export function takeRows(graph: Graph, table: Value, rows: Value, inverse: Value): Value {
  const [count, columns] = table.shape;
  if (table.shape.length !== 2 || !sameShape(inverse.shape, [count!]) || rows.dtype !== "int64") {
    throw graphError("takeRows", "needs a table [R, C], int64 rows and an inverse [R]", table, rows, inverse);
  }
  const axis = { attributes: { axis: { int: 0 } } };
  const output = graph.node("Gather", [table, rows], table.dtype, [...rows.shape, columns!], axis);
  graph.record({
    inputs: [table],
    output,
    backward: (d) => [
      () => {
        const flat = reshape(graph, d, [multiplyDims(rows.shape), columns!]);
        const none = broadcastTo(graph, reshape(graph, graph.scalar(0), [1, 1]), [1, columns!]);
        const padded = graph.node("Concat", [flat, none], d.dtype, ["R", columns!], axis);
        return graph.node("Gather", [padded, inverse], d.dtype, table.shape, axis);
      },
    ],
  });
  return output;
}
