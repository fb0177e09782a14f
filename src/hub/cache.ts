/**
 * The cache of huggingface_hub, shared with Python: models--organisation--name (or datasets--…) with refs/<revision> (a
 * commit), blobs (contents by checksum) and snapshots/<commit> (links to blobs). Knows nothing of the network.
 */
import { copyFile, mkdir, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { unwritable, writeAtomic } from "../core/atomic-file.ts";
import { readTextFile } from "../core/json-file.ts";
import { type HubReference, isCommit } from "./reference.ts";

export interface CachedRepo {
  folder: string;
  /** Folder of a commit's files. */
  snapshot(commit: string): string;
  /** File of a content. */
  blob(checksum: string): string;
  /** The commit that a revision meant when it was last asked for. */
  commitOf(revision: string): Promise<string | undefined>;
  remember(revision: string, commit: string): Promise<void>;
  /** Puts a blob into a commit's snapshot under its file name. */
  place(checksum: string, commit: string, name: string): Promise<void>;
}

export function cachedRepo(cache: string, { type, name }: Pick<HubReference, "type" | "name">): CachedRepo {
  const folder = join(cache, `${type}s--${name.replace("/", "--")}`);
  const ref = (revision: string) => join(folder, "refs", revision);
  const blob = (checksum: string) => join(folder, "blobs", checksum);
  const snapshot = (commit: string) => join(folder, "snapshots", commit);
  return {
    folder,
    snapshot,
    blob,
    async commitOf(revision) {
      if (isCommit(revision)) return revision;
      const commit = (await readTextFile(ref(revision)).catch(() => "")).trim();
      return isCommit(commit) ? commit : undefined;
    },
    async remember(revision, commit) {
      if (isCommit(revision)) return;
      await makeFolder(dirname(ref(revision)));
      await writeAtomic(ref(revision), commit);
    },
    async place(checksum, commit, name) {
      const path = join(snapshot(commit), name);
      await makeFolder(dirname(path));
      await rm(path, { force: true });
      // where links are not allowed, as on Windows without developer mode, the snapshot holds the file itself
      await symlink(relative(dirname(path), blob(checksum)), path)
        .catch(() => copyFile(blob(checksum), path))
        .catch((cause) => {
          throw unwritable(path, cause);
        });
    },
  };
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause) => {
    throw unwritable(path, cause);
  });
}

/** In bytes, through links; undefined when there is nothing. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
