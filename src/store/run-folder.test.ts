import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createRunFolder } from "./folder-claim.ts";
import { checkpointAt, latestCheckpoint, writeCheckpoint, writeJsonAtomic } from "./run-folder.ts";

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mulligan-run-"));
});
afterEach(() => rm(base, { recursive: true, force: true }));

test("a checkpoint appears whole, and latest names it", async () => {
  const folder = await createRunFolder(base);
  expect(await latestCheckpoint(folder)).toBeUndefined();
  await writeCheckpoint(folder, 5, (dir) => writeFile(join(dir, "weights"), "five"));
  await writeCheckpoint(folder, 10, (dir) => writeFile(join(dir, "weights"), "ten"));
  expect(await latestCheckpoint(folder)).toEqual({ step: 10, path: checkpointAt(folder, 10) });
  expect(await readFile(join(checkpointAt(folder, 5), "weights"), "utf8")).toBe("five");
});

test("a checkpoint whose writing fails leaves no trace and the old one in place", async () => {
  const folder = await createRunFolder(base);
  await writeCheckpoint(folder, 5, (dir) => writeFile(join(dir, "weights"), "five"));
  const failing = writeCheckpoint(folder, 6, async (dir) => {
    await writeFile(join(dir, "weights"), "half");
    throw new Error("disk full");
  });
  await expect(failing).rejects.toMatchObject({
    code: "io",
    message: expect.stringMatching(/checkpoint-6: cannot be written: disk full$/),
  });
  expect((await readdir(base)).sort()).toEqual(["checkpoint-5", "latest"]);
  expect(await latestCheckpoint(folder)).toMatchObject({ step: 5 });
});

test("JSON that cannot be written leaves the old file and no temporary one", async () => {
  const path = join(base, "config.json");
  await writeJsonAtomic(path, { a: 1 });
  expect(await readFile(path, "utf8")).toBe('{\n  "a": 1\n}\n');
  await expect(writeJsonAtomic(join(path, "x.json"), {})).rejects.toMatchObject({ code: "io" });
  expect(await readdir(base)).toEqual(["config.json"]);
});

test("a latest that names no checkpoint is an error, not a run without any", async () => {
  const folder = await createRunFolder(base);
  await writeFile(folder.latest, "checkpoint_4\n");
  await expect(latestCheckpoint(folder)).rejects.toMatchObject({
    code: "checkpoint",
    message: `${folder.latest}: must name a checkpoint, got "checkpoint_4\\n"`,
  });
});
