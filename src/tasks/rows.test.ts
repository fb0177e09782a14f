import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRows } from "./rows.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rows-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const rows = [
  { question: 'say "a, b"', answer: "1", level: "x\ny" },
  { question: "ü\u2028", answer: "", level: "2" },
];

test.each([
  ["rows.jsonl", rows.map((row) => JSON.stringify(row)).join("\n")],
  ["rows.ndjson", `${rows.map((row) => JSON.stringify(row)).join("\r\n")}\r\n`],
  ["lines.json", rows.map((row) => JSON.stringify(row)).join("\n")],
  ["rows.JSON", `\uFEFF${JSON.stringify(rows, null, 2)}`],
  ["unix.csv", 'question,answer,level\n"say ""a, b""",1,"x\ny"\nü\u2028,,2\n'],
  ["dos.csv", '\uFEFFquestion,answer,level\r\n"say ""a, b""","1","x\ny"\r\n\r\nü\u2028,,2'],
])("%s holds every column of every row", async (name, text) => {
  expect(await readRows(await file(name, text))).toEqual(rows);
});

test("Parquet holds the same, numbers, lists and dates as JSON has them", async () => {
  const columnData = [
    { name: "question", data: ["a", "b"], type: "STRING" as const },
    { name: "count", data: [3n, 9_007_199_254_740_993n], type: "INT64" as const },
    { name: "share", data: [0.5, 0.25], type: "DOUBLE" as const },
    { name: "day", data: [new Date(0), new Date(86_400_000)], type: "TIMESTAMP" as const },
    { name: "given", data: [[1, 2], [3]], type: "JSON" as const },
  ];
  const path = await file("rows.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
  // 2^53 + 1 has no double: as a number it would come out as another one
  expect(await readRows(path)).toEqual([
    { question: "a", count: 3, share: 0.5, day: "1970-01-01T00:00:00.000Z", given: [1, 2] },
    { question: "b", count: "9007199254740993", share: 0.25, day: "1970-01-02T00:00:00.000Z", given: [3] },
  ]);
});

describe("is refused, with file and line:", () => {
  test.each([
    [
      "number.jsonl",
      '{"a": 1}\n\n3\n',
      /number\.jsonl, line 3: a row must be an object of columns, got number/,
    ],
    ["cut.jsonl", '{"a": 1}\n{"a": ', /cut\.jsonl, line 2: not JSON/],
    ["list.json", '[{"a": 1}, [2]]', /list\.json, row 2: a row must be an object of columns, got an array/],
    ["object.json", '{"a": 1}', /object\.json: must hold an array of rows, got object/],
    ["broken.json", '[{"a": 1},', /broken\.json: not JSON/],
    ["more.csv", "a,b\n1,2\n1,2,3\n", /more\.csv, line 3: not CSV: .*columns length is 2, got 3/],
    ["less.csv", "a,b\n1\n", /less\.csv, line 2: not CSV/],
    ["quote.csv", 'a,b\n"1,2\n', /quote\.csv, line \d: not CSV/],
    ["twice.csv", "a,a\n1,2\n", /twice\.csv: not CSV: the column "a" stands in the header twice/],
    [
      "wide.csv",
      `${Array.from({ length: 10_001 }, (_, i) => `c${i}`)}\n`,
      /wide\.csv: not CSV: .*at most 10000 columns, got 10001/,
    ],
    ["text.parquet", "PAR1 but no more", /text\.parquet: not Parquet/],
    ["rows.tsv", "a\tb", /rows: must be a \.jsonl, .*\.parquet file, got ".*rows\.tsv"/],
  ])("%s", async (name, text, message) => {
    await expect(readRows(await file(name, text))).rejects.toMatchObject({
      code: "data",
      message: expect.stringMatching(message),
      hint: expect.any(String),
    });
  });

  test.each([
    ["long.jsonl", `{"a": 1}\n{"a": "${"x".repeat(1_048_576)}"}`, /line 2: must be at most 1048576 bytes/],
    ["long.csv", `a\n"${"x".repeat(1_100_000)}"\n`, /line 2: not CSV: .*[Mm]ax/],
  ])("%s, a row of more than a mebibyte", async (name, text, message) => {
    await expect(readRows(await file(name, text))).rejects.toThrow(message);
  });

  test.each(["none.jsonl", "none.json", "none.csv", "none.parquet"])(
    "%s, which is not there",
    async (name) => {
      await expect(readRows(join(folder, name))).rejects.toMatchObject({
        code: "data",
        message: expect.stringMatching(/none\.\w+: cannot be read: ENOENT/),
      });
    },
  );
});
