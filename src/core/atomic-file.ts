/**
 * Files and folders that are there whole or not at all, also after a kill or a loss of power: written under a temporary
 * name, synced, then renamed. Whatever has a final name is complete.
 */
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import {
  codeOf,
  makeFolder,
  type OutFile,
  openFile,
  remove,
  rename,
  syncFolder,
  unwritable,
} from "./disk.ts";
import { MulliganError } from "./errors.ts";

export { unwritable };

/** Ends the name of what a process that was killed had not finished, perhaps inside something that it had not, or not removed. */
export const LEFTOVER = /(\.\d+\.tmp)+$/;

/** Characters gathered for one write. Arbitrary. */
const PIECE = 2 ** 20;

/**
 * Writes text, or pieces of text that together may be longer than a string can be, replacing what was there. Throws
 * `MulliganError("io")`; nothing of the new text is left then.
 */
export async function writeAtomic(path: string, text: string | Iterable<string>): Promise<void> {
  await writeWhole(path, async (write) => {
    let piece = "";
    for (const part of typeof text === "string" ? [text] : text) {
      piece += part;
      if (piece.length < PIECE) continue;
      await write(piece);
      piece = "";
    }
    if (piece !== "") await write(piece);
  });
}

/** Writes a file bit by bit, replacing what was there once all is on the disk. Throws `MulliganError("io")`. */
export async function writeWhole(
  path: string,
  fill: (write: OutFile["write"]) => Promise<void>,
): Promise<void> {
  await viaTemporary(path, async (temporary) => {
    const file = await openFile(temporary, "w");
    try {
      await fill(file.write);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  });
}

/**
 * Fills a folder whose files are written whole, and puts it in its place, which may be that of another folder: a kill between
 * the two renames that this takes leaves the older one as `path.old.PID.tmp`. Throws `MulliganError("io")`.
 */
export async function writeFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await viaTemporary(path, async (temporary) => {
    await remove(temporary);
    await makeFolder(temporary);
    await fill(temporary);
    await syncFolder(temporary);
    await replaceFolder(path, temporary);
  });
}

/** The old folder steps aside until the new one is in its place, and comes back if that fails. */
async function replaceFolder(path: string, by: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  if (names.length === 0) return rename(by, path);
  const old = temporaryFor(`${path}.old`);
  await remove(old);
  await rename(path, old);
  try {
    await rename(by, path);
  } catch (error) {
    await rename(old, path);
    throw error;
  }
  await remove(old);
}

async function viaTemporary(path: string, work: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryFor(path);
  try {
    await work(temporary);
    await syncFolder(dirname(path));
  } catch (cause) {
    await remove(temporary).catch(() => {});
    throw cause instanceof MulliganError ? cause : unwritable(path, cause);
  }
}

/** Removes a file or a folder in one go: no moment shows a folder that has lost some of its files. */
export async function removeWhole(path: string): Promise<void> {
  const temporary = temporaryFor(path);
  await remove(temporary);
  try {
    await rename(path, temporary);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  await remove(temporary);
}

function temporaryFor(path: string): string {
  return `${path}.${process.pid}.tmp`;
}
