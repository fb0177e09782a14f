import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { appendJsonl, cutTornLine, readJsonl, writeJsonl } from "./jsonl.ts";

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jsonl-"));
  path = join(folder, "rows.jsonl");
});
afterAll(() => rm(folder, { recursive: true }));

const valuesIn = async (file: string) => (await readJsonl(file)).map(({ value }) => value);

test("for any JSON values, reading gives back what was written", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue({ stringUnit: "binary", maxDepth: 2 }), { maxLength: 5 }),
      async (values) => {
        await writeJsonl(path, values);
        expect(await valuesIn(path)).toEqual(JSON.parse(JSON.stringify(values)));
      },
    ),
    { numRuns: 30 },
  );
});

test("skips empty lines, keeps their count, and tolerates a byte order mark and \\r\\n", async () => {
  await writeFile(path, '\ufeff{"a":1}\r\n\r\n  \n2');
  expect(await readJsonl(path)).toEqual([
    { line: 1, value: { a: 1 } },
    { line: 4, value: 2 },
  ]);
});

test("ends a line at \\n only, not at U+2028 or U+2029", async () => {
  await writeFile(path, '"a\u2028b\u2029c"\n"d"\n');
  expect(await valuesIn(path)).toEqual(["a\u2028b\u2029c", "d"]);
});

test("an empty file holds no values", async () => {
  await writeFile(path, "");
  expect(await readJsonl(path)).toEqual([]);
});

test("names the file, the line and what was wrong", async () => {
  await writeFile(path, '{"a":1}\n{"a":\n');
  await expect(readJsonl(path)).rejects.toMatchObject({
    name: "MulliganError",
    code: "data",
    message: expect.stringMatching(/rows\.jsonl, line 2: not JSON: /),
  });
  await writeFile(path, Buffer.from([0x31, 0x0a, 0x22, 0xff, 0x22]));
  await expect(readJsonl(path)).rejects.toMatchObject({
    message: expect.stringMatching(/line 2: not UTF-8/),
  });
});

test("who only looks may skip a last line that is torn, but no other", async () => {
  const skipping = async () => (await readJsonl(path, { tornLine: "skip" })).map(({ value }) => value);
  for (const torn of ['{"b":', '{"b":"\u00e9'.slice(0, -1), "{"]) {
    await writeFile(path, `{"a":1}\n${torn}`);
    expect(await skipping()).toEqual([{ a: 1 }]);
    await expect(readJsonl(path)).rejects.toMatchObject({ message: expect.stringContaining("line 2") });
  }
  await writeFile(path, Buffer.from([0x31, 0x0a, 0x22, 0xc3])); // in the middle of a character
  expect(await skipping()).toEqual([1]);
  await writeFile(path, '{"a":1}\n{"b":2}'); // whole, only its newline lacks
  expect(await skipping()).toEqual([{ a: 1 }, { b: 2 }]);
  await writeFile(path, '{"a":\n{"b":');
  await expect(skipping()).rejects.toMatchObject({ message: expect.stringContaining("line 1") });
});

test("a torn last line is cut off, and what is whole stays", async () => {
  const long = "x".repeat(150_000); // longer than the blocks that are searched
  for (const [text, kept] of [
    [`1\n${long}`, "1\n"],
    [`${long}\n2`, `${long}\n`],
    ["1\n2\n", "1\n2\n"],
    [long, ""],
    ["", ""],
  ] as const) {
    await writeFile(path, text);
    await cutTornLine(path);
    expect(await readFile(path, "utf8")).toBe(kept);
  }
  await expect(cutTornLine(join(folder, "none.jsonl"))).resolves.toBeUndefined();
});

test("a missing file is a data error", async () => {
  await expect(readJsonl(join(folder, "none.jsonl"))).rejects.toMatchObject({ code: "data" });
});

test("appends whole lines after what is there", async () => {
  await writeJsonl(path, [1]);
  await appendJsonl(path, { b: "two\nlines" });
  await appendJsonl(path, 3, { sync: true });
  expect(await readFile(path, "utf8")).toBe('1\n{"b":"two\\nlines"}\n3\n');
});

test("an unwritable place is an io error and leaves nothing behind", async () => {
  const inFile = join(path, "rows.jsonl");
  await expect(writeJsonl(inFile, [1])).rejects.toMatchObject({ code: "io" });
  await expect(appendJsonl(inFile, 1)).rejects.toMatchObject({ code: "io" });
  // the folder itself: the temporary file can be written, the rename fails
  await expect(writeJsonl(folder, [1])).rejects.toMatchObject({ code: "io" });
  expect(await readdir(folder)).toEqual(["rows.jsonl"]);
});

test("a value without a JSON form is refused before anything is written", async () => {
  await writeJsonl(path, ["kept"]);
  await expect(writeJsonl(path, [1, undefined])).rejects.toMatchObject({ code: "data" });
  expect(await valuesIn(path)).toEqual(["kept"]);
});
