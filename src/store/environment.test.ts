import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changesSince, readStarts, recordStart } from "./environment.ts";
import { type RunFolder, runFolderAt } from "./run-folder.ts";
import type { Start } from "./wire.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-environment-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

const hash = "0".repeat(64);
const start: Start = {
  started: "2026-01-02T03:04:05.678Z",
  step: 0,
  command: ["node", "mulligan", "train"],
  folder: "/home/me",
  mulligan: "0.1.0",
  node: "v20.19.0",
  onnxruntime: "1.30.0",
  platform: "linux 6.1 x64",
  cpu: { model: "EPYC", cores: 2 },
  memoryBytes: 8e9,
  threads: 2,
  model: { name: "mini", weights: hash, config: hash, tokenizer: hash },
};

test("every start is kept, in order", async () => {
  expect(await readStarts(folder)).toEqual([]);
  await recordStart(folder, start);
  await recordStart(folder, { ...start, step: 7, git: { commit: "abc", dirty: true } });
  expect((await readStarts(folder)).map(({ step, git }) => [step, git?.dirty])).toEqual([
    [0, undefined],
    [7, true],
  ]);
});

test("what bytes may depend on is told when it changes, and nothing else", () => {
  const otherwise = { started: "2026-02-02T03:04:05Z", step: 9, command: [], memoryBytes: 1 };
  expect(changesSince(start, { ...start, ...otherwise, cpu: { model: "EPYC", cores: 8 } })).toEqual([]);
  const now = { ...start, mulligan: "0.2.0", threads: 4, cpu: { model: "Xeon", cores: 2 } };
  expect(changesSince(start, now)).toEqual([
    expect.stringMatching(/^Mulligan: 0\.1\.0 until now, 0\.2\.0 from here on; .*last digits$/),
    expect.stringMatching(/^CPU: EPYC until now, Xeon from here on/),
    expect.stringMatching(/^threads: 2 until now, 4 from here on/),
  ]);
});

test.each(['{"version":1,"sta', '{"version":1,"starts":[{}]}'])(
  "a damaged list is named: %s",
  async (text) => {
    await writeFile(folder.environment, text);
    await expect(readStarts(folder)).rejects.toMatchObject({
      code: "data",
      message: expect.stringMatching(/environment\.json: must list the starts of a run: /),
      hint: expect.stringContaining("remove the file"),
    });
  },
);
