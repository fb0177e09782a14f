/**
 * How rows of a data set on the hub are named: `hf:organisation/name`, then `@revision`, then `:split` or
 * `:subset/split`, or `/path` of a file, in which * stands for any part of a name.
 */
import { MulliganError } from "../core/errors.ts";
import { type HubReference, safeReference } from "./reference.ts";

export interface DatasetReference extends HubReference {
  type: "dataset";
  /** Files by their path, or a split by its name; a split that is not named is the training one, or the only one. */
  rows: { path: string } | { subset?: string; split?: string };
}

/** The hub's own references hold slashes; of all other revisions none may here, since a path may follow. */
const FORM = /^hf:([^/@:]+\/[^/@:]+)(?:@(refs\/convert\/\w+|refs\/pr\/\d+|[^/@:]+))?(?::([^:]+)|\/(.+))?$/;
const SPLIT = /^\w[\w.-]*$/;

/** Throws `MulliganError("data")` for text that is no such name. */
export function parseDataset(text: string): DatasetReference {
  const [, name = "", revision = "main", split, path] = FORM.exec(text) ?? [];
  const reference = safeReference("dataset", name, revision);
  const rows = path === undefined ? splitFrom(split) : isSafePath(path) && { path };
  if (reference && rows) return { ...reference, type: "dataset", rows };
  throw new MulliganError("data", `rows: must name a data set of the hub, got "${text}"`, {
    hint: "hf:organisation/name[@revision], then :split, :subset/split, or /path/to/file.parquet",
  });
}

function splitFrom(text: string | undefined): DatasetReference["rows"] | undefined {
  if (text === undefined) return {};
  const names = text.split("/");
  if (names.length > 2 || !names.every((name) => SPLIT.test(name))) return undefined;
  const [subset, split] = names.length === 2 ? names : [undefined, text];
  return { ...(subset !== undefined && { subset }), ...(split !== undefined && { split }) };
}

/** Does a path stay in the folder that it starts from, on every system? Listings and people name paths. */
export function isSafePath(path: string): boolean {
  const isName = (name: string) => name !== "" && name !== "." && name !== ".." && name.length <= 255;
  return path.length <= 1024 && !/[\\:\p{Cc}]/u.test(path) && path.split("/").every(isName);
}
