/**
 * `digests.json` of a checkpoint: size and SHA-256 of every other file, so that one that was cut or changed is named before
 * anything is loaded from it. Knows bytes, not what they mean.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { readJsonFile } from "../core/json-file.ts";
import { writeJsonAtomic } from "./run-folder.ts";
import { Digests } from "./wire.ts";

export const DIGESTS_FILE = "digests.json";

/** Of every file in the folder. Throws `MulliganError("io")`. */
export async function writeDigests(folder: string): Promise<void> {
  const files: Digests["files"] = {};
  for (const name of (await readdir(folder)).sort()) {
    if (name !== DIGESTS_FILE) files[name] = await digestOf(join(folder, name));
  }
  await writeJsonAtomic(join(folder, DIGESTS_FILE), { version: 1, files } satisfies Digests);
}

/**
 * Reads every byte: about two seconds per gigabyte. A folder without digests passes. Throws `MulliganError("checkpoint")` that
 * names the file which is not as it was written; `hint` says where to go from there.
 */
export async function verifyDigests(folder: string, hint: string): Promise<void> {
  const path = join(folder, DIGESTS_FILE);
  if (!existsSync(path)) return;
  const damaged = (file: string, rule: string, cause?: unknown) =>
    new MulliganError("checkpoint", `${file}: ${rule}`, { hint, cause });
  let digests: Digests;
  try {
    digests = Digests.parse(await readJsonFile(path));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw damaged(path, `must list the checkpoint's files: ${reason}`, cause);
  }
  for (const [name, expected] of Object.entries(digests.files)) {
    const file = join(folder, name);
    const size = await stat(file).then(
      ({ size }) => size,
      () => undefined,
    );
    if (size !== expected.bytes) {
      throw damaged(file, `must be ${expected.bytes} bytes as it was written, got ${size ?? "no such file"}`);
    }
    const { sha256 } = await digestOf(file);
    if (sha256 === expected.sha256) continue;
    throw damaged(
      file,
      `must be as it was written, got SHA-256 ${sha256.slice(0, 12)} in place of ${expected.sha256.slice(0, 12)}`,
    );
  }
}

async function digestOf(path: string): Promise<Digests["files"][string]> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
