/** Files that are there whole or not at all: written under a temporary name, then renamed. */
import { rename, rm, writeFile } from "node:fs/promises";
import { MulliganError } from "./errors.ts";

/**
 * Writes text, or pieces of text that together may be longer than a string can be, replacing what was there. Throws
 * `MulliganError("io")`; nothing of the new text is left then.
 */
export async function writeAtomic(path: string, text: string | Iterable<string>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cause instanceof MulliganError ? cause : unwritable(path, cause);
  }
}

/** The error of a path that could not be written. */
export function unwritable(path: string, cause: unknown): MulliganError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MulliganError("io", `${path}: cannot be written: ${reason}`, {
    hint: "check that the folder exists, that you may write to it, and that the disk has room",
    cause,
  });
}
