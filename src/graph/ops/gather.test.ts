import { expect, test } from "vitest";
import { createGraph, createSession, gather, gradients, sum } from "../index.ts";

test("adds up every repetition of a row, also when many threads could add at once", async () => {
  const [rows, columns, count] = [7, 64, 16_384];
  const graph = createGraph();
  const table = graph.input("table", "float32", [rows, columns]);
  const indices = graph.input("indices", "int64", ["N"]);
  const [d] = gradients(graph, sum(graph, gather(graph, table, indices)), [table]);
  graph.output("d", d!);
  const session = await createSession(graph, { threads: 4 });
  const taken = BigInt64Array.from({ length: count }, (_, i) => BigInt((i * i) % rows));
  const expected = Array.from(
    { length: rows },
    (_, row) => taken.filter((index) => Number(index) === row).length,
  );
  for (let repeat = 0; repeat < 5; repeat++) {
    const result = await session.run({
      table: { data: new Float32Array(rows * columns), dims: [rows, columns] },
      indices: { data: taken, dims: [count] },
    });
    // Counts are small integers, so float32 sums are exact whatever their order.
    const got = Array.from({ length: rows }, (_, row) => Number(result.d!.data[row * columns]));
    expect(got).toEqual(expected);
  }
  await session.release();
});
