import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkDisk, checkWriting } from "./folder.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-doctor-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a folder that can be written is left as it was, or not at all", async () => {
  expect(await checkWriting(folder)).toEqual({ status: "ok", found: folder });
  const deep = join(folder, "runs", "first");
  expect(await checkWriting(deep)).toEqual({ status: "ok", found: deep });
  expect(await readdir(folder)).toEqual([]);
});

test("a folder below a file cannot be written", async () => {
  await writeFile(join(folder, "file"), "");
  expect(await checkWriting(join(folder, "file", "run"))).toMatchObject({
    status: "failed",
    found: expect.stringMatching(/run cannot be written: ENOTDIR/),
    advice: expect.stringContaining("--output-dir"),
  });
  await rm(join(folder, "file"));
});

test.skipIf(process.platform !== "linux")("nor can one in which no file can be made", async () => {
  // /proc takes no files from anybody, root included
  expect((await checkWriting("/proc")).status).toBe("failed");
});

test("a folder that holds a run is told of", async () => {
  await writeFile(join(folder, "metrics.jsonl"), "{}\n");
  expect(await checkWriting(folder)).toMatchObject({
    status: "warning",
    found: `${folder} holds a run`,
    advice: expect.stringContaining("--resume"),
  });
  expect(await readdir(folder)).toEqual(["metrics.jsonl"]);
  await rm(join(folder, "metrics.jsonl"));
});

test("a disk without room for the checkpoints is told with its largest part", async () => {
  const uses = [
    { name: "3 checkpoints", bytes: 6 * 2 ** 30 },
    { name: "trained model", bytes: 2 ** 30 },
  ];
  expect(await checkDisk(folder, uses, async () => 8 * 2 ** 30)).toEqual({
    status: "ok",
    found: "about 7.0 GiB at the most, of 8.0 GiB free",
  });
  expect(await checkDisk(folder, uses, async () => 5 * 2 ** 30)).toEqual({
    status: "warning",
    found: "about 7.0 GiB at the most, of 5.0 GiB free; the largest part: 3 checkpoints, 6.0 GiB",
    advice: expect.stringContaining("make room"),
  });
});
