/**
 * The checkpoints of a run as a list: which there are, which one `best` names, which are too many, and where to go on when one
 * is damaged. `latest` and `best` never name a checkpoint that was removed.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { removeWhole, writeAtomic } from "../core/atomic-file.ts";
import { remove } from "../core/disk.ts";
import { MulliganError } from "../core/errors.ts";
import { readTextFile } from "../core/json-file.ts";
import { shellWord } from "../core/shell.ts";
import { verifyDigests } from "./digests.ts";
import { checkpointAt, latestCheckpoint, type RunFolder, runFolderAt } from "./run-folder.ts";

const NAME = /^checkpoint-(\d+)$/;

/** Steps of the complete checkpoints, in order. */
export async function checkpointSteps({ dir }: RunFolder): Promise<number[]> {
  const names = await readdir(dir).catch((): string[] => []);
  const steps = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
  return steps.sort((a, b) => a - b);
}

/** The checkpoint that a text file such as `latest` or `best` names, or undefined where there is no such file. */
export async function checkpointNamedIn(file: string): Promise<string | undefined> {
  const name = (await readTextFile(file).catch(() => "")).trim();
  const step = NAME.exec(name)?.[1];
  return step === undefined ? undefined : checkpointAt(runFolderAt(dirname(file)), Number(step));
}

/** What a person names a checkpoint by: a run (its newest one), a file such as run/best, or the checkpoint itself. */
export async function findCheckpoint(name: string): Promise<string> {
  return (await latestCheckpoint(runFolderAt(name)))?.path ?? (await checkpointNamedIn(name)) ?? name;
}

/** How many steps a checkpoint's run had done, by its name; undefined when it has another name. */
export function stepOf(checkpoint: string): number | undefined {
  const step = NAME.exec(basename(checkpoint))?.[1];
  return step === undefined ? undefined : Number(step);
}

/** Points `best` at a checkpoint, if that is still there; without one there is no such file. Throws `MulliganError("io")`. */
export async function nameBest(folder: RunFolder, step: number | undefined): Promise<void> {
  const wanted =
    step === undefined || !existsSync(checkpointAt(folder, step)) ? undefined : `checkpoint-${step}\n`;
  const there = await readTextFile(folder.best).catch(() => undefined);
  if (wanted === there) return;
  if (wanted === undefined) await remove(folder.best);
  else await writeAtomic(folder.best, wanted);
}

/**
 * Removes the oldest checkpoints up to `newest` until `limit` are left (0 = all), but never `newest` or the one that `best`
 * names. Throws `MulliganError("io")`.
 */
export async function removeOldCheckpoints(
  folder: RunFolder,
  { limit, newest }: { limit: number; newest: number },
): Promise<void> {
  if (limit === 0) return;
  const best = await checkpointNamedIn(folder.best);
  // later ones are of a run that went back: it will write them again
  const steps = (await checkpointSteps(folder)).filter((step) => step <= newest);
  const removable = steps.filter((step) => step !== newest && checkpointAt(folder, step) !== best);
  for (const step of removable.slice(0, Math.max(0, steps.length - limit))) {
    await removeWhole(checkpointAt(folder, step));
  }
}

/** What to do about a damaged checkpoint, or a damaged line of a step: the newest checkpoint before it, as a command. */
export async function wayBack(folder: RunFolder, before: number): Promise<string> {
  const step = (await checkpointSteps(folder)).filter((step) => step < before).at(-1);
  const dir = shellWord(folder.dir);
  if (step === undefined)
    return `no checkpoint is before it: start again, mulligan train --output-dir ${dir} --clean`;
  return `go on from the checkpoint before it: mulligan train --output-dir ${dir} --resume --from checkpoint-${step}`;
}

/** Throws `MulliganError("checkpoint")` when a file of it is not as it was written, with the way back where it is a run's. */
export async function verifyCheckpoint(path: string): Promise<void> {
  const step = stepOf(path);
  const hint =
    step === undefined ? "take it from a copy" : await wayBack(runFolderAt(dirname(resolve(path))), step);
  await verifyDigests(path, hint);
}

/** The step of the checkpoint that `--from` names. Throws `MulliganError("config")` when the run did not come from it. */
export async function stepBefore(folder: RunFolder, name: string): Promise<number> {
  const step = Number(/^(?:checkpoint-)?(\d+)$/.exec(basename(name))?.[1]);
  const newest = (await latestCheckpoint(folder))?.step ?? 0;
  // those after the newest are of a run that went back: the logs know nothing of them
  const steps = (await checkpointSteps(folder)).filter((step) => step <= newest);
  if (!steps.includes(step)) {
    throw new MulliganError("config", `from: must be a checkpoint of ${folder.dir}, got "${name}"`, {
      hint:
        steps.length === 0 ? "it has none" : `it has ${steps.map((step) => `checkpoint-${step}`).join(", ")}`,
    });
  }
  return step;
}
