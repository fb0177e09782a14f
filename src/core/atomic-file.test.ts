import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LEFTOVER, removeWhole, writeAtomic, writeFolder, writeWhole } from "./atomic-file.ts";

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mulligan-atomic-"));
});
afterEach(() => rm(base, { recursive: true, force: true }));
const at = (...names: string[]) => join(base, ...names);

test("text comes in pieces, more than are written at once, and replaces what was there", async () => {
  const pieces = Array.from({ length: 3000 }, (_, i) => `${i}:${"é".repeat(1000)}\n`);
  await writeAtomic(at("file"), "old");
  await writeAtomic(at("file"), pieces);
  expect(await readFile(at("file"), "utf8")).toBe(pieces.join(""));
  await writeAtomic(at("file"), "");
  expect(await readFile(at("file"), "utf8")).toBe("");
});

test("a file whose filling fails leaves the old one and nothing else", async () => {
  await writeAtomic(at("file"), "old");
  const failing = writeWhole(at("file"), async (write) => {
    await write("new");
    throw new Error("no more");
  });
  await expect(failing).rejects.toMatchObject({
    code: "io",
    message: `${at("file")}: cannot be written: no more`,
  });
  expect([await readdir(base), await readFile(at("file"), "utf8")]).toEqual([["file"], "old"]);
});

test("a folder replaces another one as a whole, or not at all", async () => {
  await writeFolder(at("a", "folder"), (dir) => writeFile(join(dir, "old"), ""));
  await writeFolder(at("a", "folder"), async (dir) => {
    await writeFile(join(dir, "new"), "");
    expect(await readdir(at("a", "folder"))).toEqual(["old"]);
  });
  expect(await readdir(at("a", "folder"))).toEqual(["new"]);
  const failing = writeFolder(at("a", "folder"), async (dir) => {
    await writeFile(join(dir, "newer"), "");
    throw new Error("no more");
  });
  await expect(failing).rejects.toMatchObject({ code: "io" });
  expect([await readdir(at("a")), await readdir(at("a", "folder"))]).toEqual([["folder"], ["new"]]);
});

test("a folder does not replace a file", async () => {
  await writeFile(at("file"), "mine");
  await expect(writeFolder(at("file"), async () => {})).rejects.toMatchObject({ code: "io" });
  expect([await readdir(base), await readFile(at("file"), "utf8")]).toEqual([["file"], "mine"]);
});

test("removes files, folders and what is not there", async () => {
  await mkdir(at("folder", "inner"), { recursive: true });
  await writeFile(at("file"), "");
  for (const name of ["folder", "file", "nothing"]) await removeWhole(at(name));
  expect(await readdir(base)).toEqual([]);
});

test("knows what it leaves when it is killed", () => {
  expect("checkpoint-3.17.tmp".replace(LEFTOVER, "")).toBe("checkpoint-3");
  expect("checkpoint-3.17.tmp.17.tmp".replace(LEFTOVER, "")).toBe("checkpoint-3");
  for (const name of ["notes.tmp", "data.17.tmp.txt", "17.tmp"]) expect(name).not.toMatch(LEFTOVER);
});
