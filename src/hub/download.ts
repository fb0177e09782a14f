/**
 * One file from the hub into the cache. What has arrived is kept beside it until it is whole, so that a later try goes on
 * from there; only contents with the right checksum get the final name.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { unwritable } from "../core/atomic-file.ts";
import { MulliganError } from "../core/errors.ts";
import { sizeOf } from "./cache.ts";
import type { HubClient, RemoteFile } from "./client.ts";
import { claimPartial } from "./partial-file.ts";

/** Tries for a file whose connection breaks. Arbitrary. */
const TRIES = 3;

export interface DownloadOptions {
  /** Bytes of this file that are there by now. */
  onBytes(received: number): void;
  signal?: AbortSignal | undefined;
}

/** Fetches a file to `path`. Throws `MulliganError("hub")`, `("io")`, or the signal's reason; what has come is kept. */
export async function downloadBlob(
  client: HubClient,
  commit: string,
  file: RemoteFile,
  path: string,
  { onBytes, signal }: DownloadOptions,
): Promise<void> {
  const partial = await partialOf(path);
  for (let left = TRIES - 1; ; left--) {
    try {
      await fetchRest(client, commit, file, partial, onBytes);
      break;
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof MulliganError) throw cause;
      if (isFileError(cause)) throw unwritable(partial, cause);
      if (left === 0) throw brokenOff(file, await sizeOf(partial), cause);
    }
  }
  if ((await checksumOf(partial, file)) !== file.checksum) {
    await rm(partial, { force: true });
    throw new MulliganError("hub", `${file.path}: must have the checksum ${file.checksum}, got another`, {
      hint: "run the same command again: the file is fetched anew",
    });
  }
  await rename(partial, path);
}

async function partialOf(path: string): Promise<string> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return await claimPartial(path);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

async function fetchRest(
  client: HubClient,
  commit: string,
  { path, size }: RemoteFile,
  partial: string,
  onBytes: DownloadOptions["onBytes"],
): Promise<void> {
  const kept = (await sizeOf(partial)) ?? 0;
  if (kept === size && size > 0) return;
  const { start, body } = await client.open(commit, path, kept < size ? kept : 0);
  let received = start;
  const handle = await open(partial, start > 0 ? "a" : "w");
  try {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
      received += chunk.length;
      if (received > size) throw new Error(`more than ${size} bytes came`);
      onBytes(received);
    }
  } finally {
    await handle.close();
  }
  if (received < size) throw new Error(`the connection ended after ${received} of ${size} bytes`);
}

async function checksumOf(path: string, { size, checksum }: RemoteFile): Promise<string> {
  const isGit = checksum.length === 40;
  const hash = createHash(isGit ? "sha1" : "sha256");
  if (isGit) hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** Of the disk, not of the connection. */
function isFileError(cause: unknown): boolean {
  const { code, path } = cause as NodeJS.ErrnoException;
  return path !== undefined || ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO"].includes(code ?? "");
}

function brokenOff({ path, size }: RemoteFile, kept: number | undefined, cause: unknown): MulliganError {
  const reason = (cause as Error).message;
  return new MulliganError(
    "hub",
    `${path}: must arrive whole, got ${kept ?? 0} of ${size} bytes (${reason})`,
    {
      hint: "run the same command again: it goes on from there",
      cause,
    },
  );
}
