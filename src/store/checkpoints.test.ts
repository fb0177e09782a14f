import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  checkpointNamedIn,
  checkpointSteps,
  nameBest,
  removeOldCheckpoints,
  stepBefore,
  verifyCheckpoint,
  wayBack,
} from "./checkpoints.ts";
import { writeDigests } from "./digests.ts";
import { checkpointAt, type RunFolder, runFolderAt, writeCheckpoint } from "./run-folder.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-checkpoints-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

async function save(...steps: number[]) {
  for (const step of steps) {
    await writeCheckpoint(folder, step, async (dir) => {
      await writeFile(join(dir, "weights"), `weights of ${step}`);
      await writeDigests(dir);
    });
  }
}

test("they are told in the order of their steps, unfinished ones left out", async () => {
  await save(10, 9, 100);
  await mkdir(join(folder.dir, "checkpoint-3.tmp"));
  expect(await checkpointSteps(folder)).toEqual([9, 10, 100]);
});

test.each([
  [0, [1, 2, 3, 4, 5]],
  [1, [2, 5]],
  [2, [2, 5]],
  [3, [2, 4, 5]],
  [9, [1, 2, 3, 4, 5]],
])("with a limit of %d the oldest go, but never the newest or the best", async (limit, left) => {
  await save(1, 2, 3, 4, 5);
  await nameBest(folder, 2);
  await removeOldCheckpoints(folder, { limit, newest: 5 });
  expect(await checkpointSteps(folder)).toEqual(left);
  expect((await readdir(folder.dir)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("best names a checkpoint that is there, or none", async () => {
  await save(2);
  await nameBest(folder, 2);
  expect(await checkpointNamedIn(folder.best)).toBe(checkpointAt(folder, 2));
  await nameBest(folder, 7);
  expect(await checkpointNamedIn(folder.best)).toBeUndefined();
  expect(await readdir(folder.dir)).not.toContain("best");
});

test("a name that leads out of the run is none", async () => {
  await writeFile(folder.best, "../elsewhere\n");
  expect(await checkpointNamedIn(folder.best)).toBeUndefined();
});

test("going back points latest at an older checkpoint, by any of its names", async () => {
  await save(2, 4);
  for (const name of ["checkpoint-2", "2", join(folder.dir, "checkpoint-2")]) {
    expect(await stepBefore(folder, name)).toBe(2);
  }
  await expect(stepBefore(folder, "checkpoint-3")).rejects.toMatchObject({
    code: "config",
    hint: "it has checkpoint-2, checkpoint-4",
  });
  // a run that went back knows nothing of what came after
  await writeFile(folder.latest, "checkpoint-2\n");
  await expect(stepBefore(folder, "checkpoint-4")).rejects.toMatchObject({ hint: "it has checkpoint-2" });
});

test("a damaged file is named, with the command that goes on from the checkpoint before it", async () => {
  await save(2, 4);
  const path = checkpointAt(folder, 4);
  await verifyCheckpoint(path);
  const back = { hint: expect.stringMatching(/--resume --from checkpoint-2$/) };
  await writeFile(join(path, "weights"), "weights of");
  await expect(verifyCheckpoint(path)).rejects.toMatchObject({
    ...back,
    message: `${join(path, "weights")}: must be 12 bytes as it was written, got 10`,
  });
  await writeFile(join(path, "weights"), "Weights of 4");
  await expect(verifyCheckpoint(path)).rejects.toMatchObject({
    ...back,
    message: expect.stringMatching(
      /weights: must be as it was written, got SHA-256 [0-9a-f]{12} in place of/,
    ),
  });
  await rm(join(path, "weights"));
  await expect(verifyCheckpoint(path)).rejects.toMatchObject({
    message: expect.stringMatching(/got no such file$/),
  });
});

test("digests that are damaged are named themselves, and cannot name files elsewhere", async () => {
  await save(4);
  const path = join(checkpointAt(folder, 4), "digests.json");
  const whole = await readFile(path, "utf8");
  for (const damaged of [whole.slice(0, -20), whole.replace('"weights"', '"../weights"')]) {
    await writeFile(path, damaged);
    await expect(verifyCheckpoint(checkpointAt(folder, 4))).rejects.toMatchObject({
      message: expect.stringMatching(/digests\.json: must list the checkpoint's files: /),
      hint: expect.stringMatching(/start again, mulligan train --output-dir .* --clean$/),
    });
  }
});

test("a checkpoint that was saved without digests passes", async () => {
  await save(4);
  await rm(join(checkpointAt(folder, 4), "digests.json"));
  await expect(verifyCheckpoint(checkpointAt(folder, 4))).resolves.toBeUndefined();
});

test("a folder's name is quoted where a shell would read it otherwise", async () => {
  const odd = runFolderAt(join(folder.dir, "it's mine"));
  expect(await wayBack(odd, 1)).toContain(`'${odd.dir.replace("'", "'\\''")}'`);
});
