/** Rows of a table by index (an embedding look-up), and its derivative. */
import type { Graph } from "../graph.ts";
import { graphError, multiplyDims, type Value } from "../value.ts";
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
