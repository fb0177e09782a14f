import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonOf, streamLines, type TextLine } from "./line-stream.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-lines-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function linesOf(bytes: Buffer, options = {}): Promise<TextLine[]> {
  const path = join(folder, "lines.jsonl");
  await writeFile(path, bytes);
  const lines: TextLine[] = [];
  for await (const line of streamLines(path, options)) lines.push(line);
  return lines;
}
const valuesOf = (lines: readonly TextLine[]) => lines.map((line) => jsonOf(line, "f", "look"));

test("lines end at the byte \\n, and a last one without it is left out or told to be torn", async () => {
  const bytes = Buffer.from('{"a":"é\u2028"}\n[2]\n{"b":"é').subarray(0, -1);
  expect(valuesOf(await linesOf(bytes))).toEqual([{ a: "é\u2028" }, [2]]);
  const torn = (await linesOf(bytes, { tornLine: true })).at(-1);
  expect(torn).toEqual({ line: 3, text: '{"b":"\uFFFD', isUtf8: false, isTorn: true });
});

test("a line that is not UTF-8 is named, not replaced, and what stands at its head can be read", async () => {
  const [first, second] = await linesOf(
    Buffer.concat([
      Buffer.from('{"step":1}\n{"step":2,"text":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}\n'),
    ]),
  );
  expect(jsonOf(first!, "f", "look")).toEqual({ step: 1 });
  expect(second!.text).toMatch(/^\{"step":2,/);
  expect(() => jsonOf(second!, "f", "look")).toThrow(
    expect.objectContaining({
      code: "data",
      message: "f, line 2: must be one complete JSON value: not UTF-8",
      hint: "look",
    }),
  );
});

test("a line that is nested without end is named before anybody walks through it", async () => {
  const lines = await linesOf(Buffer.from(`[1]\n${"[".repeat(5000)}${"]".repeat(5000)}\n`));
  expect(() => valuesOf(lines)).toThrow(
    /^f, line 2: must be one complete JSON value: must be nested at most 128/,
  );
});
