import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MulliganError } from "../core/errors.ts";
import { createRunFolder } from "./folder-claim.ts";
import { checkpointAt, refreshedAt, runFolderAt, writeCheckpoint, writeJsonAtomic } from "./run-folder.ts";

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mulligan-run-"));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const runs = (name: string) => join(base, name);
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error as MulliganError,
  );

test("creates the folder and its parents and leaves it empty", async () => {
  const folder = await createRunFolder(runs("a/b"));
  expect(folder.config).toBe(join(base, "a/b/config.json"));
  expect(await readdir(runs("a/b"))).toEqual([]);
});

test.each(["config.json", "failures.jsonl", "checkpoint-7"])(
  "refuses a folder that holds %s",
  async (name) => {
    await createRunFolder(runs("a"));
    await writeFile(join(runs("a"), name), "{}");
    const error = await errorOf(createRunFolder(runs("a")));
    expect(error).toBeInstanceOf(MulliganError);
    expect(error).toMatchObject({
      code: "io",
      message: `outputDir: must not hold another run, got "${runs("a")}"`,
      hint: "continue it with --resume, remove it with --clean, or choose another folder with --output-dir",
    });
  },
);

test("starts in a folder that holds other files only", async () => {
  await writeFile(join(base, "notes.md"), "mine");
  await createRunFolder(base);
  expect(await readdir(base)).toEqual(["notes.md"]);
});

test("clean removes the run, half-written parts of it too, and nothing else", async () => {
  const folder = await createRunFolder(base);
  await writeJsonAtomic(folder.config, {});
  await writeCheckpoint(folder, 3, (dir) => writeFile(join(dir, "model.safetensors"), ""));
  for (const name of ["notes.md", "failures.jsonl", "metrics.jsonl.99.tmp", "checkpoint-final"])
    await writeFile(runs(name), "");
  await createRunFolder(base, { clean: true });
  expect((await readdir(base)).sort()).toEqual(["checkpoint-final", "notes.md"]);
});

test("clean does not take a model's folder for a run", async () => {
  await writeFile(runs("config.json"), "{}");
  expect(await errorOf(createRunFolder(base, { clean: true }))).toMatchObject({
    code: "io",
    message: `clean: ${base} must hold a run, got only config.json`,
  });
  expect(await readdir(base)).toEqual(["config.json"]);
});

test("clean takes a collection under way for a run, and removes what training collected anew", async () => {
  const folder = await createRunFolder(base);
  await writeJsonAtomic(folder.config, {});
  await writeFile(folder.journal, "");
  await mkdir(folder.refreshed);
  await writeFile(refreshedAt(folder, 3), "");
  await createRunFolder(base, { clean: true });
  expect(await readdir(base)).toEqual([]);
});

test("what a killed process had not finished goes when the run goes on, and is no run by itself", async () => {
  const mine = ["notes.7.tmp", "config.json.tmp", "model.old"];
  const leftovers = [
    "config.json.7.tmp",
    "checkpoint-3.7.tmp",
    "checkpoint-3.7.tmp.7.tmp",
    "model.old.7.tmp",
  ];
  for (const name of [...mine, ...leftovers, ".mulligan.7.tmp"]) await writeFile(runs(name), "");
  const folder = await createRunFolder(base);
  expect((await readdir(base)).sort()).toEqual([...mine].sort());

  await writeJsonAtomic(folder.config, {});
  await mkdir(folder.refreshed);
  for (const name of ["failures-3.jsonl", "failures-3.jsonl.7.tmp"])
    await writeFile(join(folder.refreshed, name), "");
  for (const name of leftovers) await writeFile(runs(name), "");
  await createRunFolder(base, { resume: true });
  expect((await readdir(base)).sort()).toEqual([...mine, "config.json", "refreshed"].sort());
  expect(await readdir(folder.refreshed)).toEqual(["failures-3.jsonl"]);
});

test("a run that was killed before it had settings cannot be resumed, but begun", async () => {
  const folder = await createRunFolder(base);
  await writeFile(folder.journal, "{}\n");
  expect(await errorOf(createRunFolder(base, { resume: true }))).toMatchObject({
    hint: expect.stringContaining("leave --resume out to start one"),
  });
  await createRunFolder(base);
  await createRunFolder(base, { clean: true });
});

test("clean that was killed in the middle can be asked for again", async () => {
  for (const name of [".mulligan-unfinished", "failures.jsonl", "metrics.jsonl.7.tmp"])
    await writeFile(runs(name), "");
  expect(await errorOf(createRunFolder(base))).toMatchObject({ hint: expect.stringContaining("--clean") });
  await createRunFolder(base, { clean: true });
  expect(await readdir(base)).toEqual([]);
});

test("resume keeps the run, and needs one", async () => {
  expect(await errorOf(createRunFolder(base, { resume: true }))).toMatchObject({
    code: "config",
    message: `resume: ${base} must hold a run, got no config.json`,
  });
  await writeJsonAtomic(runFolderAt(base).config, { seed: 1 });
  const folder = await createRunFolder(base, { resume: true });
  expect(JSON.parse(await readFile(folder.config, "utf8"))).toEqual({ seed: 1 });
});

test("resume and clean together are refused", async () => {
  const error = await errorOf(createRunFolder(base, { resume: true, clean: true }));
  expect(error).toMatchObject({ code: "config", message: "resume, clean: must not be given together" });
});

test("a folder that cannot be written is an io error with what to do", async () => {
  await writeFile(runs("file"), "");
  const error = await errorOf(createRunFolder(runs("file/run")));
  expect(error).toMatchObject({ code: "io", hint: expect.stringContaining("--output-dir") });
  expect(error?.message).toMatch(
    /^outputDir: must be a folder that can be written, got ".*file\/run" \(ENOTDIR/,
  );
});

test("a checkpoint that had stepped aside for another comes back when a kill kept that from coming", async () => {
  const folder = await createRunFolder(base);
  await writeJsonAtomic(folder.config, {});
  await writeCheckpoint(folder, 3, (dir) => writeFile(join(dir, "weights"), "three"));
  await rename(checkpointAt(folder, 3), `${checkpointAt(folder, 3)}.old.99.tmp`);
  await mkdir(`${checkpointAt(folder, 3)}.99.tmp`);
  await createRunFolder(base, { resume: true });
  expect((await readdir(base)).sort()).toEqual(["checkpoint-3", "config.json", "latest"]);
  expect(await readFile(join(checkpointAt(folder, 3), "weights"), "utf8")).toBe("three");
});

test("a part of a run cannot be resumed, only removed", async () => {
  await writeFile(runs("config.json"), "{}");
  await writeFile(runs(".mulligan-unfinished"), "");
  for (const options of [{}, { resume: true }]) {
    expect(await errorOf(createRunFolder(base, options))).toMatchObject({
      code: "io",
      hint: expect.stringContaining("--clean"),
    });
  }
  await createRunFolder(base, { clean: true });
  expect(await readdir(base)).toEqual([]);
});

test("clean removes a run that was killed before it had failures, known by its environment", async () => {
  await writeFile(runs("config.json"), "{}");
  await writeFile(runs("environment.json"), '{ "mine": true }');
  expect(await errorOf(createRunFolder(base, { clean: true }))).toMatchObject({ code: "io" });
  await writeJsonAtomic(runs("environment.json"), { version: 1, starts: [] });
  await createRunFolder(base, { clean: true });
  expect(await readdir(base)).toEqual([]);
});
