/** Can a run be written where it is to lie? Tried with a file, since permissions do not tell of full or read-only disks. */
import { open, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { makeFolder } from "../../core/disk.ts";
import { MulliganError } from "../../core/errors.ts";
import { requireUsable } from "../../store/run-folder.ts";
import type { DiskUse } from "../disk-plan.ts";
import { lackOf, roomFor, showRoom } from "../disk-room.ts";
import { type Finding, failed, findingFrom, ok, warning } from "./check.ts";

/**
 * Writes a file, has it reach the disk, renames and removes it, as a run does with whatever it keeps. Folders that had to
 * be made for it go again.
 */
export async function checkWriting(dir: string): Promise<Finding> {
  const folder = resolve(dir);
  const probe = join(folder, `.mulligan-doctor-${process.pid}.tmp`);
  let made: string | undefined;
  try {
    made = await makeFolder(folder);
    const file = await open(probe, "w");
    try {
      await file.write("mulligan");
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(probe, `${probe}.renamed`);
    await rm(`${probe}.renamed`);
  } catch (cause) {
    return failed(
      `${folder} cannot be written: ${((cause instanceof MulliganError ? cause.cause : cause) as Error).message}`,
      "choose another folder with --output-dir, or change its permissions or the room on its disk",
    );
  } finally {
    await rm(probe, { force: true }).catch(() => {});
    await rm(`${probe}.renamed`, { force: true }).catch(() => {});
    if (made !== undefined) await removeEmpty(folder, made);
  }
  try {
    await requireUsable(dir);
    return ok(folder);
  } catch (error) {
    if (!(error instanceof MulliganError)) throw error;
    return warning(`${folder} holds a run`, error.hint ?? "");
  }
}

/** From a folder upwards to the first that was made; whatever somebody has filled meanwhile stays. */
async function removeEmpty(folder: string, made: string): Promise<void> {
  for (let at = folder; at.startsWith(made); at = dirname(at)) {
    const isGone = await rmdir(at).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

/** Room for what a run keeps, on the disk that its folder lies on or will. A warning, since the plan is an upper bound. */
export async function checkDisk(
  dir: string,
  uses: readonly DiskUse[],
  freeAt?: (dir: string) => Promise<number>,
): Promise<Finding> {
  try {
    const room = await roomFor(dir, uses, freeAt);
    const lack = lackOf(room, uses);
    return lack ? warning(lack.rule, lack.advice) : ok(showRoom(room));
  } catch (error) {
    return findingFrom(error);
  }
}
