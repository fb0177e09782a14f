/** Room on the disk, and a run that has taken some of it. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freeRoom, lackOf, roomFor } from "./disk-room.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-room-"));
});
afterAll(() => rm(folder, { recursive: true }));

const uses = [
  { name: "checkpoints", bytes: 600 },
  { name: "trained model", bytes: 400 },
];

test("room is looked for where a folder that is not there yet would be made", async () => {
  const room = await freeRoom(join(folder, "not", "yet"));
  expect(room).toBeGreaterThan(0);
  await writeFile(join(folder, "file"), "");
  await expect(freeRoom(join(folder, "file", "run"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test("what a run has taken is room for the run that goes on or replaces it, other files are not", async () => {
  const run = join(folder, "run");
  await mkdir(join(run, "checkpoint-20"), { recursive: true });
  await mkdir(join(run, "data"));
  for (const [name, bytes] of [
    ["checkpoint-20/model.safetensors", 300],
    ["traces.jsonl", 50],
    ["data/rows.jsonl", 7000],
    ["notes.md", 7000],
  ] as const) {
    await writeFile(join(run, name), "x".repeat(bytes));
  }
  const room = await roomFor(run, uses, async () => 600);
  expect(room).toEqual({ needed: 1000, free: 600 + 300 + 50 });
  expect(lackOf(room, uses)).toMatchObject({ advice: expect.stringContaining("--save-total-limit") });
  expect(lackOf(await roomFor(run, uses, async () => 650), uses)).toBeUndefined();
});
