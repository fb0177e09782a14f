/**
 * What fetching a model and a data set have in common: the cache where it is enough, else the hub's commit and its files
 * into the cache. A commit never changes, so what is recorded by its commit needs no network again.
 */
import { join } from "node:path";
import { MulliganError } from "../core/errors.ts";
import { type CachedRepo, cachedRepo, sizeOf } from "./cache.ts";
import { type ConnectOptions, connect, type HubClient, type RemoteFile } from "./client.ts";
import { downloadBlob } from "./download.ts";
import { type HubReference, isCommit } from "./reference.ts";
import { isUnavailable } from "./refusals.ts";
import { type Environment, type HubSettings, hubSettings } from "./settings.ts";

export type HubEvent =
  /** Bytes of all files together. */
  | { type: "downloading"; file: string; received: number; total: number }
  /** The hub gave no answer; the cache has it as it was. */
  | { type: "from-cache"; commit: string; reason: string };

export interface FetchOptions extends ConnectOptions {
  /** Default: the process's. */
  env?: Environment | undefined;
  onEvent?: ((event: HubEvent) => void) | undefined;
}

/** A commit of a repository, and where its files go. */
export interface Fetching {
  client: HubClient;
  commit: string;
  repo: CachedRepo;
}

export interface HubWish<Found> {
  /** What the cache has of a commit, if that is all that is wanted; else what is lacking. */
  cached(repo: CachedRepo, commit: string): Promise<Found | { lacking: string }>;
  download(fetching: Fetching): Promise<Found>;
}

/** Throws `MulliganError("hub")` that says what to do, `MulliganError("io")`, or the signal's reason. */
export async function fetchFromHub<Found extends { commit: string }>(
  reference: HubReference,
  { cached, download }: HubWish<Found>,
  options: FetchOptions,
): Promise<Found> {
  const settings = await hubSettings(options.env ?? process.env);
  const repo = cachedRepo(settings.cache, reference);
  const known = await repo.commitOf(reference.revision);
  const found = known === undefined ? { lacking: "nothing of it" } : await cached(repo, known);
  const whole = "lacking" in found ? undefined : found;
  if (settings.offline) return whole ?? refuseOffline(reference, settings, found as { lacking: string });
  if (whole && isCommit(reference.revision)) return whole;

  let client: HubClient;
  let commit: string;
  try {
    client = await connect(reference, settings, options);
    commit = await client.commit();
  } catch (error) {
    if (!whole || !isUnavailable(error)) throw error;
    options.onEvent?.({
      type: "from-cache",
      commit: whole.commit,
      reason: (error as MulliganError).message,
    });
    return whole;
  }
  const fetched = await download({ client, commit, repo });
  await repo.remember(reference.revision, commit);
  return fetched;
}

/** A function that brings one of the files into the commit's snapshot; what is there already is not fetched again. */
export async function startDownload(
  { client, commit, repo }: Fetching,
  files: readonly RemoteFile[],
  { signal, onEvent = () => {} }: FetchOptions,
): Promise<(file: RemoteFile) => Promise<void>> {
  const isPlaced = async ({ path, size }: RemoteFile) =>
    (await sizeOf(join(repo.snapshot(commit), path))) === size;
  const placed = await Promise.all(files.map(isPlaced));
  const wanted = files.filter((_, i) => !placed[i]);
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  return async (file) => {
    if (!wanted.includes(file)) return;
    const tell = (bytes: number) =>
      onEvent({ type: "downloading", file: file.path, received: before + bytes, total });
    const blob = repo.blob(file.checksum);
    if ((await sizeOf(blob)) !== file.size)
      await downloadBlob(client, commit, file, blob, { onBytes: tell, signal });
    await repo.place(file.checksum, commit, file.path);
    tell(file.size);
    before += file.size;
  };
}

function refuseOffline(
  { type, name, revision }: HubReference,
  { cache }: HubSettings,
  { lacking }: { lacking: string },
): never {
  throw new MulliganError(
    "hub",
    `${type} "${name}@${revision}": must be in the cache when HF_HUB_OFFLINE is set, got ${lacking} in ${cache}`,
    { hint: "unset HF_HUB_OFFLINE to fetch it, or set HF_HUB_CACHE to where it is" },
  );
}
