/**
 * Every change that a run makes on a disk is one of these operations; each throws `MulliganError("io")`, and tests can
 * break each (fault.ts). Knows nothing of files that are whole (atomic-file.ts) or of lines (jsonl.ts).
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { MulliganError, messageOf } from "./errors.ts";
import { endNow, type FaultPoint, reach } from "./fault.ts";

/** What a process adds to the name of what it has not finished: `.PID.tmp`. */
const UNFINISHED = /\.\d+\.tmp/g;

export interface OutFile {
  /** Appends all of it, with one call where the system takes it at once. */
  write(data: string | Uint8Array): Promise<void>;
  /** Returns when what was written would survive a loss of power. */
  sync(): Promise<void>;
  /** In bytes. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Opens a file to write it anew ("w") or to append to it ("a"); either makes it where there is none. */
export async function openFile(path: string, flag: "w" | "a"): Promise<OutFile> {
  const file = await fs.open(path, flag).catch((cause) => {
    throw unwritable(path, cause);
  });
  return {
    write: (data) =>
      change("write", path, async (isTorn) => {
        const bytes = typeof data === "string" ? Buffer.from(data) : data;
        await writeFully(file, isTorn ? bytes.subarray(0, bytes.length >> 1) : bytes);
        if (isTorn) endNow();
      }),
    sync: () => change("fsync", path, () => file.sync()),
    size: async () => (await file.stat()).size,
    close: () => file.close(),
  };
}

/** A write may take fewer bytes than it was given. */
async function writeFully(file: fs.FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done)).bytesWritten;
  }
}

/** What was appended without a sync until now would survive a loss of power. */
export async function syncFile(path: string): Promise<void> {
  await change("fsync", path, async () => {
    const file = await fs.open(path, "r+");
    await file.sync().finally(() => file.close());
  });
}

/** A whole file, which survives a loss of power; shares its blocks with the copy where the file system can. */
export async function copyFile(from: string, to: string): Promise<void> {
  await change("write", to, () => fs.copyFile(from, to, fs.constants.COPYFILE_FICLONE));
  await syncFile(to);
}

/** The names in a folder would survive a loss of power. */
export async function syncFolder(path: string): Promise<void> {
  await change("fsync", path, async () => {
    if (process.platform === "win32") return; // which opens no folders, and orders names itself
    const folder = await fs.open(path, "r");
    try {
      await folder.sync();
    } catch (error) {
      // some file systems of networks and containers do not know how
      if (!["EINVAL", "ENOTSUP", "EPERM"].includes(codeOf(error) ?? "")) throw error;
    } finally {
      await folder.close();
    }
  });
}

/** Replaces a file that has the new name, or an empty folder. */
export async function rename(from: string, to: string): Promise<void> {
  await change("rename", to, () => fs.rename(from, to), to.replaceAll(UNFINISHED, ".tmp"));
}

/** A file, or a folder with all that is in it, file by file. What is not there is nothing to do. */
export async function remove(path: string): Promise<void> {
  await change("remove", path, () => fs.rm(path, { recursive: true, force: true }));
}

/** With its parents. Returns the first folder that was not there before. */
export async function makeFolder(path: string): Promise<string | undefined> {
  return change("mkdir", path, async () => {
    const missing: string[] = [];
    // one by one: where no folder can be made, as in /proc, Node's recursive mkdir never ends
    for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
    for (const folder of missing) {
      await fs.mkdir(folder).catch((error) => {
        if (codeOf(error) !== "EEXIST") throw error; // another process was faster
      });
    }
    return missing[0];
  });
}

export async function truncate(path: string, size: number): Promise<void> {
  await change("truncate", path, () => fs.truncate(path, size));
}

/** The name that a path will have, without PIDs: one that is inside what is not finished itself keeps a `.tmp`. */
function finalName(path: string): string {
  return path.replaceAll(UNFINISHED, ".tmp").replace(/\.tmp(?=$|\/)/g, "");
}

async function change<T>(
  point: FaultPoint,
  path: string,
  make: (isTorn: boolean) => Promise<T>,
  name = finalName(path),
): Promise<T> {
  try {
    return await make(reach(point, name));
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** The error of a path that could not be written. */
export function unwritable(path: string, cause: unknown): MulliganError {
  return new MulliganError(
    "io",
    `${path.replaceAll(UNFINISHED, "")}: cannot be written: ${messageOf(cause)}`,
    {
      hint:
        codeOf(cause) === "ENOSPC"
          ? "make room on the disk; a run then goes on with --resume"
          : "check that the folder exists, that you may write to it, and that the disk has room",
      cause,
    },
  );
}

/** The system's name of a file's error, "ENOSPC". */
export function codeOf(error: unknown): string | undefined {
  const { code } = (error instanceof MulliganError ? error.cause : error) as NodeJS.ErrnoException;
  return code;
}
