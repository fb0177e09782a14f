/**
 * The files that a source of rows means: a path from the task's folder, or a data set of the hub, fetched into its cache.
 * Commits that were found are kept, so that a run can write down which rows it saw and find them again.
 */
import { resolve } from "node:path";
import { parseDataset } from "../hub/dataset-reference.ts";
import type { FetchOptions } from "../hub/fetch.ts";
import { fetchDataset } from "../hub/fetch-dataset.ts";
import { isCommit } from "../hub/reference.ts";
import { ROW_ENDINGS } from "./rows.ts";

/** Commits of data sets by "organisation/name@revision". */
export type DatasetRevisions = Readonly<Record<string, string>>;

export interface HubAccess extends FetchOptions {
  /** Known from before: taken instead of what the revisions mean now. */
  revisions?: DatasetRevisions | undefined;
}

/** Paths of the files that a source means, in the order of their rows. Throws `MulliganError`: "data", "hub", "io". */
export type FindRowFiles = (source: string) => Promise<readonly string[]>;

export interface RowFiles {
  find: FindRowFiles;
  /** Commits of the data sets that were found; it grows. */
  found: Record<string, string>;
}

/** The path itself in the current folder, for messages that read as it was written. */
export function rowFilesIn(folder: string, { revisions = {}, ...options }: HubAccess = {}): RowFiles {
  const found: Record<string, string> = {};
  let last: Promise<unknown> = Promise.resolve();
  const fetched = async (source: string) => {
    const { name, revision, ...rows } = parseDataset(source);
    const key = `${name}@${revision}`;
    const known = Object.hasOwn(revisions, key) ? revisions[key] : found[key];
    const reference = { ...rows, name, revision: known ?? revision };
    const { commit, files } = await fetchDataset(reference, { ...options, endings: ROW_ENDINGS });
    if (!isCommit(revision)) found[key] = commit;
    return files;
  };
  return {
    found,
    async find(source) {
      if (!source.startsWith("hf:")) return [folder === "." ? source : resolve(folder, source)];
      // one after the other: splits of one data set share files, and a file arrives once
      const files = last.then(() => fetched(source));
      last = files.catch(() => {});
      return files;
    },
  };
}
