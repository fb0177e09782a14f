/**
 * Which files of a data set hold the rows that were asked for: by path, by what its card declares, or by their names.
 * What is not certain is refused: a guess would train on other rows. Pure.
 */
import { MulliganError } from "../core/errors.ts";
import type { CardSubset } from "./dataset-card.ts";
import { type DatasetReference, isSafePath } from "./dataset-reference.ts";
import { fitsPattern } from "./file-pattern.ts";
import { splitsByName } from "./split-names.ts";

export interface Repository {
  /** Of all files. */
  paths: readonly string[];
  /** What its card declares. */
  subsets: readonly CardSubset[];
}

/** They describe rows and hold none. */
const NO_ROWS = ["README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"];

const endingOf = (path: string) => /\.\w+$/.exec(path)?.[0].toLowerCase() ?? "";
const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/") + 1);
const within = (folder: string) => (folder === "" ? "" : `${folder}/`);

/**
 * The files in the order of their rows. `endings`: of files that can be read, with their dot. Throws
 * `MulliganError("data")` that says what there is instead.
 */
export function pickRowFiles(
  reference: DatasetReference,
  repository: Repository,
  endings: readonly string[],
): string[] {
  const { rows } = reference;
  const paths = [...new Set(repository.paths)].filter(isSafePath).sort();
  const picked =
    "path" in rows
      ? paths.filter((path) => fitsPattern(path, rows.path))
      : splitFiles(reference, { ...repository, paths: paths.filter(holdsRows) }, endings);
  if (picked.length === 0) {
    const wanted = "path" in rows ? `the file ${rows.path}` : `files for the split "${rows.split}"`;
    throw refuse(reference, `must have ${wanted}, got none`, `it has ${list(paths)}`);
  }
  const other = picked.find((path) => !endings.includes(endingOf(path)));
  if (other === undefined) return picked;
  throw refuse(reference, `${other} must be a ${endings.join(", ")} file`, unreadHint(reference, [other]));
}

const holdsRows = (path: string) =>
  !NO_ROWS.includes(path.slice(folderOf(path).length)) && !/(^|\/)\./.test(path);

function splitFiles(
  reference: DatasetReference,
  { paths, subsets }: Repository,
  endings: readonly string[],
): string[] {
  const readable = paths.filter((path) => endings.includes(endingOf(path)));
  if (readable.length === 0) {
    const got = list([...new Set(paths.map(endingOf))].filter(Boolean)) || "nothing";
    const hint = unreadHint(reference, paths);
    throw refuse(reference, `must have ${endings.join(", ")} files, got only ${got}`, hint);
  }
  const { folder, splits } = subsetFor(reference, { paths, subsets });
  const prefix = within(folder);
  if (splits) {
    const patterns = splitFor(reference, splits).files.map(
      (pattern) => prefix + pattern.replace(/^\.\//, ""),
    );
    return [...new Set(patterns.flatMap((pattern) => paths.filter((path) => fitsPattern(path, pattern))))];
  }
  const inside = readable.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  const { split, files } = splitFor(reference, splitsByName(inside));
  requireOneKind(reference, split, files);
  return files.map((path) => prefix + path);
}

/** The subset that was named, the default one, or the only one; where a card declares none, a folder of that name. */
function subsetFor(reference: DatasetReference, { paths, subsets }: Repository): CardSubset {
  const { name, rows } = reference;
  const asked = "path" in rows ? undefined : rows.subset;
  const names = subsets.map((subset) => subset.name);
  if (asked === undefined) {
    const chosen = subsets.length < 2 ? subsets[0] : subsets.find(({ isDefault }) => isDefault);
    if (chosen || subsets.length === 0) return chosen ?? { name: "default", folder: "" };
    const hint = `hf:${name}:subset/split; its subsets are ${list(names)}`;
    throw refuse(reference, "has several subsets, of which one must be named", hint);
  }
  const found = subsets.find((subset) => subset.name === asked);
  if (found) return found;
  const isFolder = subsets.length === 0 && paths.some((path) => path.startsWith(within(asked)));
  if (isFolder) return { name: asked, folder: asked };
  const hint = names.length > 0 ? `its subsets are ${list(names)}` : `it has no subsets: hf:${name}:split`;
  throw refuse(reference, `must have the subset "${asked}", got none`, hint);
}

/** The split that was named, else the training one, else the only one. */
function splitFor(
  reference: DatasetReference,
  splits: ReadonlyMap<string, readonly string[]>,
): { split: string; files: readonly string[] } {
  const names = [...splits.keys()];
  const asked = "path" in reference.rows ? undefined : reference.rows.split;
  const split = asked ?? (names.length === 1 ? names[0]! : "train");
  const files = splits.get(split);
  if (files) return { split, files };
  throw refuse(reference, `must have the split "${split}", got none`, `its splits are ${list(names)}`);
}

/** What is one split by its name only must look like one table in pieces. */
function requireOneKind(reference: DatasetReference, split: string, files: readonly string[]): void {
  const [first, ...rest] = files as [string, ...string[]];
  const isOther = (path: string) => folderOf(path) !== folderOf(first) || endingOf(path) !== endingOf(first);
  const other = rest.find(isOther);
  if (other === undefined) return;
  throw refuse(
    reference,
    `the files of the split "${split}" must be of one kind and in one folder, got ${first} and ${other}`,
    `name them by path: hf:${reference.name}/${first}`,
  );
}

const UNREAD: readonly [kind: RegExp, hint: string][] = [
  [/\.(gz|bz2|xz|zst|zip|tar|7z|tgz)$/i, "compressed files are not read: unpack it and name the file here"],
  [/\.(jpe?g|png|gif|webp|mp3|wav|flac|mp4)$/i, "images and sounds are not read: rows are text and numbers"],
];

/** Why files with these paths are not read, and what might be instead. */
function unreadHint({ name }: DatasetReference, paths: readonly string[]): string {
  const converted = `the hub may have a Parquet version: hf:${name}@refs/convert/parquet:subset/split`;
  if (paths.some((path) => /\.arrow$/i.test(path))) return `Arrow files are not read; ${converted}`;
  if (paths.some((path) => /\.py$/i.test(path))) return `a program that makes rows is not run; ${converted}`;
  return UNREAD.find(([kind]) => paths.some((path) => kind.test(path)))?.[1] ?? converted;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

function refuse({ name }: DatasetReference, rule: string, hint: string): MulliganError {
  return new MulliganError("data", `dataset "${name}": ${rule}`, { hint });
}
