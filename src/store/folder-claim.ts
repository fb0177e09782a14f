/**
 * A folder made ready for a run: no other process writes into it, nothing half-written is left in it, and what was there goes
 * only when that was asked for. Killed at any moment, all of this can be asked for again.
 */
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { LEFTOVER, removeWhole, writeAtomic } from "../core/atomic-file.ts";
import { makeFolder, remove, rename, syncFolder } from "../core/disk.ts";
import { MulliganError, messageOf } from "../core/errors.ts";
import { readTextFile } from "../core/json-file.ts";
import {
  FILES,
  isOfARun,
  isThere,
  type RunFolder,
  type RunFolderOptions,
  requireRightToWrite,
  runFolderAt,
  UNFINISHED,
} from "./run-folder.ts";
import { whileLocked } from "./run-lock.ts";

const PROBE = ".mulligan";
/** What a process that was killed had not finished: `config.json.PID.tmp`, `checkpoint-3.PID.tmp`. */
const isLeftover = (name: string) => {
  const finished = name.replace(LEFTOVER, "").replace(/\.(old|stale)$/, "");
  return LEFTOVER.test(name) && (isOfARun(finished) || [PROBE, "run.lock"].includes(finished));
};

/**
 * Does the work with a folder that is ready for a run, as `createRunFolder` makes it, while no other process may write into
 * it. Throws what that throws, what the work throws, and `MulliganError("io")` when another process holds the folder.
 */
export async function inRunFolder<T>(
  dir: string,
  options: RunFolderOptions,
  work: (folder: RunFolder) => Promise<T>,
): Promise<T> {
  await makeWritable(dir);
  return whileLocked(resolve(dir), async () => work(await createRunFolder(dir, options)));
}

/**
 * Makes a folder ready for a run, before anything is computed. Throws `MulliganError("io")` when it cannot be written
 * or holds another run, `MulliganError("config")` when there is nothing to resume.
 */
export async function createRunFolder(dir: string, options: RunFolderOptions = {}): Promise<RunFolder> {
  const { resume = false, clean = false } = options;
  if (resume && clean) {
    throw new MulliganError("config", "resume, clean: must not be given together", {
      hint: "--resume continues the run, --clean removes it and starts again",
    });
  }
  const folder = runFolderAt(dir);
  const names = await makeWritable(dir);
  const run = names.filter(isOfARun);
  requireRightToWrite(dir, run, options);
  if (clean && isThere(run)) await removeRun(dir, run);
  await removeLeftovers(folder, names);
  return folder;
}

/** Creates the folder, proves that a file can be written into it and returns the names that were there. */
async function makeWritable(dir: string): Promise<string[]> {
  // asking for permission would not notice a full or read-only disk
  const probe = join(dir, `${PROBE}.${process.pid}.tmp`);
  try {
    const made = await makeFolder(dir);
    if (made !== undefined) await syncFolder(dirname(made));
    const names = await readdir(dir);
    await writeFile(probe, "");
    await remove(probe);
    return names;
  } catch (cause) {
    throw new MulliganError(
      "io",
      `outputDir: must be a folder that can be written, got "${dir}" (${reasonOf(cause)})`,
      {
        hint: "choose another folder with --output-dir, or change its permissions",
        cause,
      },
    );
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof MulliganError ? reasonOf(cause.cause) : messageOf(cause);
}

/** Killed in the middle, it can be asked for again. */
async function removeRun(dir: string, names: readonly string[]): Promise<void> {
  // a model's folder has a config.json too, and a project may have its models in model/: no run, not ours to remove
  const isRun =
    [FILES.failures, FILES.journal].some((name) => names.includes(name)) ||
    (await isEnvironment(join(dir, FILES.environment)));
  if (!names.includes(UNFINISHED) && !(names.includes(FILES.config) && isRun)) {
    throw new MulliganError("io", `clean: ${dir} must hold a run, got only ${names.join(", ")}`, {
      hint: "choose another folder with --output-dir, or remove the files yourself",
    });
  }
  await whileUnfinished(dir, async () => {
    for (const name of names) if (name !== UNFINISHED) await removeWhole(join(dir, name));
  });
}

/** A run that is killed during this work is no run, and can be removed. */
export async function whileUnfinished(dir: string, work: () => Promise<void>): Promise<void> {
  await writeAtomic(join(dir, UNFINISHED), "");
  await work();
  await remove(join(dir, UNFINISHED));
}

/** Did a run write it? Others may have a file of that name. */
async function isEnvironment(path: string): Promise<boolean> {
  return readTextFile(path).then(
    (text) => /^\{\s*"version": \d+,\s*"starts": \[/.test(text),
    () => false,
  );
}

/** What processes that were killed had not finished goes; none lives that writes into this folder. */
async function removeLeftovers(
  { dir, refreshed, skipped }: RunFolder,
  names: readonly string[],
): Promise<void> {
  for (const name of names.filter(isLeftover)) {
    const replaced = /^(checkpoint-\d+)\.old\.\d+\.tmp$/.exec(name)?.[1];
    // it had stepped aside for another, which did not come
    if (replaced !== undefined && !existsSync(join(dir, replaced)))
      await rename(join(dir, name), join(dir, replaced));
    else await remove(join(dir, name));
  }
  for (const folder of [refreshed, skipped]) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (/^(failures|step)-\d+\.jsonl?\./.test(name) && LEFTOVER.test(name))
        await remove(join(folder, name));
    }
  }
}
