/**
 * Is there room for what a run will keep? Who has none is warned, not refused: a plan takes every turn for as long as allowed,
 * and a run that meets a full disk stops with all that it has saved.
 */
import { lstat, readdir, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { unwritable } from "../core/atomic-file.ts";
import { isOfARun } from "../store/run-folder.ts";
import { bytesOfAll, type DiskUse } from "./disk-plan.ts";
import { showBytes } from "./memory.ts";

/** In bytes. */
export interface Room {
  needed: number;
  /** Free on the disk, with what a run that is there has taken: it goes on in that, or is removed (or stays, where `collect` goes on). */
  free: number;
}

/** On the disk on which a folder lies or would be made. Throws `MulliganError("io")` where there can be no such folder. */
export async function roomFor(
  dir: string,
  uses: readonly DiskUse[],
  freeAt: (dir: string) => Promise<number> = freeRoom,
): Promise<Room> {
  const free = await freeAt(resolve(dir)).catch((cause) => {
    throw unwritable(dir, cause);
  });
  return { needed: bytesOfAll(uses), free: free + (await bytesOfRun(dir)) };
}

export interface Lack {
  rule: string;
  advice: string;
}

/** What is wrong and what to do, where a plan needs more than there is. */
export function lackOf({ needed, free }: Room, uses: readonly DiskUse[]): Lack | undefined {
  if (needed <= free) return undefined;
  const [largest] = [...uses].sort((a, b) => b.bytes - a.bytes);
  return {
    rule: `${showRoom({ needed, free })}; the largest part: ${largest!.name}, ${showBytes(largest!.bytes)}`,
    advice:
      "make room, or choose another disk with --output-dir; a larger --save-steps or a --save-total-limit keeps fewer checkpoints",
  };
}

export const showRoom = ({ needed, free }: Room) =>
  `about ${showBytes(needed)} at the most, of ${showBytes(free)} free`;

/** Bytes that may be written where a folder is or would be made. */
export async function freeRoom(dir: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(dir);
    return bavail * bsize;
  } catch (error) {
    if (dirname(dir) === dir || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return freeRoom(dirname(dir));
  }
}

/** Of the files of a run, and of no others that lie beside them. */
async function bytesOfRun(dir: string): Promise<number> {
  const own = (await readdir(dir).catch((): string[] => [])).filter(isOfARun);
  const sizes = await Promise.all(own.map((name) => bytesIn(join(dir, name))));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Of a file, or of all in a folder; what goes meanwhile counts for nothing. */
async function bytesIn(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isDirectory()) return found?.size ?? 0;
  const names = await readdir(path).catch((): string[] => []);
  const sizes = await Promise.all(names.map((name) => bytesIn(join(path, name))));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
