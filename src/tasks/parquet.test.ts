import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, test } from "vitest";
import { decodeParquet } from "./parquet.ts";

const bytes = new Uint8Array(
  parquetWriteBuffer({
    columnData: ["question", "answer"].map((name) => ({ name, data: ["a", "b", "c"] })),
  }),
);
const limits = { rows: 3, values: 6, ms: 30_000 };

test("a file is decoded that asks for no more than it may", async () => {
  expect(await decodeParquet(bytes, limits)).toHaveLength(3);
});

test.each([
  ["rows", { rows: 2 }, "must have at most 2 rows, got 3"],
  ["values", { values: 5 }, "must have at most 5 values, got 6"],
  ["time", { ms: 1 }, "it takes longer than 1 ms"],
])("one that asks for more %s is refused", async (_, less, message) => {
  await expect(decodeParquet(bytes, { ...limits, ...less })).rejects.toThrow(message);
});
