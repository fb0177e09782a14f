import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AttemptsTrace, Trace } from "../core/trace.ts";
import { appendTraces, readTraces } from "./traces.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-traces-"));
  path = join(folder, "traces.jsonl");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const trace = (step: number, text = "é\u2028"): AttemptsTrace => ({
  step,
  kind: "attempts",
  problemId: "p",
  question: "q",
  prompt: [1, 2],
  state: "live",
  attempts: [
    {
      attempt: { tokens: [3], logprobs: [-0.5], text, truncated: false },
      verdict: { kind: "solved" },
      advantage: 0.5,
    },
  ],
});
async function read(): Promise<Trace[]> {
  const traces: Trace[] = [];
  for await (const trace of readTraces(path)) traces.push(trace);
  return traces;
}

test("the header comes once, and what is appended is read back in order", async () => {
  // longer than a stream's chunk of 64 KiB
  const long = trace(2, "ö".repeat(100_000));
  await appendTraces(path, [trace(1), trace(1)]);
  await appendTraces(path, [long]);
  expect(await read()).toEqual([trace(1), trace(1), long]);
  expect((await readFile(path, "utf8")).match(/"kind":"traces"/g)).toHaveLength(1);
});

test("a last line without its end is left out", async () => {
  await appendTraces(path, [trace(1), trace(2)]);
  await truncate(path, (await readFile(path)).length - 1);
  expect(await read()).toEqual([trace(1)]);
});

test("a cut file begins anew with a header", async () => {
  await writeFile(path, "");
  await appendTraces(path, [trace(1)]);
  expect(await read()).toEqual([trace(1)]);
});

test("a damaged line is named by file and line", async () => {
  await appendTraces(path, [trace(1), trace(2)]);
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"step":2', '"step":"2"'));
  await expect(read()).rejects.toMatchObject({
    code: "data",
    message: expect.stringMatching(/traces\.jsonl, line 3: step: /),
    hint: expect.stringContaining("--resume --from"),
  });
  await writeFile(path, text.replace('"step":1', '"st\u0001ep":1'));
  await expect(read()).rejects.toMatchObject({
    message: expect.stringMatching(/line 2: must be one complete JSON value/),
  });
});

test("another version's traces are refused", async () => {
  await appendFile(path, '{"kind":"traces","version":2}\n');
  await expect(read()).rejects.toMatchObject({
    message: expect.stringMatching(/line 1 \(header\): version: /),
  });
});

test("where there are none, it says so", async () => {
  await expect(read()).rejects.toMatchObject({
    code: "data",
    message: expect.stringContaining("cannot be read"),
  });
});
