/**
 * Files of a data set with the rows that were asked for, in order. The listing that they were picked from is kept in the
 * cache: what a snapshot folder holds does not tell which files are still to come.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { unwritable, writeAtomic } from "../core/atomic-file.ts";
import { MulliganError } from "../core/errors.ts";
import { readJsonFile, readTextFile } from "../core/json-file.ts";
import { type CachedRepo, sizeOf } from "./cache.ts";
import type { RemoteFile } from "./client.ts";
import { CARD, MAX_CARD_BYTES, subsetsOf } from "./dataset-card.ts";
import { pickRowFiles } from "./dataset-files.ts";
import type { DatasetReference } from "./dataset-reference.ts";
import { type Fetching, type FetchOptions, fetchFromHub, startDownload } from "./fetch.ts";

/** Most bytes of the files together: rows are held in memory. Arbitrary. */
const MAX_BYTES = 1_073_741_824;

/** Largest listing that is kept, in bytes: as many files as the hub is asked for, with paths of hundreds of characters. */
const MAX_LISTING_BYTES = 2 ** 26;

export interface HubDataset {
  /** The commit that the revision means. */
  commit: string;
  /** Paths of the files here. */
  files: string[];
}

export interface FetchDatasetOptions extends FetchOptions {
  /** Of files that can be read, with their dot. */
  endings: readonly string[];
}

const Listing = z.array(z.strictObject({ path: z.string(), size: z.int().min(0) }));
type Listing = z.infer<typeof Listing>;

/** Throws what `fetchFromHub` throws, and `MulliganError("data")` where no file is certain to hold the rows. */
export async function fetchDataset(
  reference: DatasetReference,
  options: FetchDatasetOptions,
): Promise<HubDataset> {
  const cached = (repo: CachedRepo, commit: string) => findCached(reference, repo, commit, options);
  const download = (fetching: Fetching) => downloadRows(reference, fetching, options);
  return fetchFromHub(reference, { cached, download }, options);
}

async function downloadRows(
  reference: DatasetReference,
  fetching: Fetching,
  options: FetchDatasetOptions,
): Promise<HubDataset> {
  const { client, commit, repo } = fetching;
  const one = fileNamedIn(reference);
  const listed = await client.files(
    commit,
    one === undefined ? { recursive: true } : { folder: dirname(one) },
  );
  const folder = repo.snapshot(commit);
  const card = listed.find(({ path }) => path === CARD);
  if (card && !("path" in reference.rows)) {
    requireSize(reference, CARD, card.size, MAX_CARD_BYTES);
    await (await startDownload(fetching, [card], options))(card);
  }
  const names = await pick(reference, listed, folder, options);
  const byPath = new Map(listed.map((file) => [file.path, file]));
  const files = names.map((name): RemoteFile => byPath.get(name)!);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  requireSize(reference, names.length === 1 ? names[0]! : `${names.length} files`, bytes, MAX_BYTES);
  if (one === undefined) await keepListing(listingAt(repo, commit), listed);
  const bring = await startDownload(fetching, files, options);
  for (const file of files) await bring(file);
  return { commit, files: names.map((name) => join(folder, name)) };
}

async function findCached(
  reference: DatasetReference,
  repo: CachedRepo,
  commit: string,
  options: FetchDatasetOptions,
): Promise<HubDataset | { lacking: string }> {
  const folder = repo.snapshot(commit);
  const listing = await readListing(listingAt(repo, commit));
  if (listing === undefined) return cachedByPath(reference, folder, commit);
  const names = await pick(reference, listing, folder, options).catch((error: unknown) => {
    if (error instanceof MulliganError) return error;
    throw error;
  });
  if (names instanceof MulliganError) return { lacking: `none of its rows (${names.message})` };
  const sizes = new Map(listing.map(({ path, size }) => [path, size]));
  for (const name of names) {
    if ((await sizeOf(join(folder, name))) !== sizes.get(name)) return { lacking: `no ${name}` };
  }
  return { commit, files: names.map((name) => join(folder, name)) };
}

/** Without a listing, as where Python filled the cache, only a file's own path says that it is all there is to fetch. */
async function cachedByPath(
  reference: DatasetReference,
  folder: string,
  commit: string,
): Promise<HubDataset | { lacking: string }> {
  const one = fileNamedIn(reference);
  if (one === undefined) return { lacking: "no listing of its files" };
  const file = join(folder, one);
  return (await sizeOf(file)) === undefined ? { lacking: `no ${one}` } : { commit, files: [file] };
}

/** The path of the one file that is meant, where it is one. */
function fileNamedIn({ rows }: DatasetReference): string | undefined {
  return "path" in rows && !rows.path.includes("*") ? rows.path : undefined;
}

async function pick(
  reference: DatasetReference,
  listed: Listing | readonly RemoteFile[],
  folder: string,
  { endings }: FetchDatasetOptions,
): Promise<string[]> {
  const paths = listed.map(({ path }) => path);
  const hasCard = !("path" in reference.rows) && paths.includes(CARD);
  const subsets = hasCard ? await subsetsOf(await readCard(join(folder, CARD)), reference.name) : [];
  return pickRowFiles(reference, { paths, subsets }, endings);
}

async function readCard(path: string): Promise<string> {
  return readTextFile(path, MAX_CARD_BYTES).catch((cause) => {
    throw new MulliganError("hub", `${path}: cannot be read: ${cause.message}`, { cause });
  });
}

function requireSize({ name }: DatasetReference, what: string, bytes: number, most: number): void {
  if (bytes <= most) return;
  throw new MulliganError(
    "data",
    `dataset "${name}": must have at most ${most} bytes to read, got ${bytes} in ${what}`,
    {
      hint: `rows are held in memory: name fewer files by path, as in hf:${name}/data/train-00000-of-00100.parquet`,
    },
  );
}

/** Beside what Python keeps there; nothing of Python's reads it. */
function listingAt({ folder }: CachedRepo, commit: string): string {
  return join(folder, "mulligan", `${commit}.json`);
}

async function keepListing(path: string, files: readonly RemoteFile[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true }).catch((cause) => {
    throw unwritable(path, cause);
  });
  await writeAtomic(path, JSON.stringify(files.map(({ path, size }) => ({ path, size }))));
}

async function readListing(path: string): Promise<Listing | undefined> {
  try {
    return Listing.parse(await readJsonFile(path, MAX_LISTING_BYTES));
  } catch {
    return undefined; // as though it had never been kept: the hub has it
  }
}
