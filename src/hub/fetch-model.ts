/**
 * A model of the hub as a folder: from the cache where it is whole there, else fetched into it. A commit never changes,
 * so what is recorded by its commit needs no network again.
 */
import { join } from "node:path";
import { MulliganError } from "../core/errors.ts";
import { type CachedModel, type CachedRepo, cachedRepo, findCached, sizeOf } from "./cache.ts";
import { type ConnectOptions, connect, type HubClient, type RemoteFile } from "./client.ts";
import { downloadBlob } from "./download.ts";
import { holdsWeights, lackingName, missingFile, pickFiles } from "./model-files.ts";
import { type HubReference, isCommit } from "./reference.ts";
import { isUnavailable } from "./refusals.ts";
import { type Environment, type HubSettings, hubSettings } from "./settings.ts";

export interface HubModel {
  folder: string;
  /** The commit that the revision means. */
  commit: string;
}

export type HubEvent =
  /** Bytes of all files together. */
  | { type: "downloading"; file: string; received: number; total: number }
  /** The hub gave no answer; the cache has the model as it was. */
  | { type: "from-cache"; commit: string; reason: string };

export interface FetchOptions extends ConnectOptions {
  /** Default: the process's. */
  env?: Environment;
  onEvent?: ((event: HubEvent) => void) | undefined;
  /** Looks at the folder before weights are fetched into it; throws for a model that would be of no use. */
  accept?: ((folder: string) => Promise<void>) | undefined;
}

/** Throws `MulliganError("hub")` that says what to do, `MulliganError("io")`, or the signal's reason. */
export async function fetchModel(reference: HubReference, options: FetchOptions = {}): Promise<HubModel> {
  const { env = process.env, onEvent = () => {} } = options;
  const settings = await hubSettings(env);
  const repo = cachedRepo(settings.cache, reference.name);
  const cached = await findCached(repo, reference);
  const whole = cached?.missing === undefined ? cached : undefined;
  if (settings.offline) return whole ?? refuseOffline(reference, settings, cached);
  if (whole && isCommit(reference.revision)) return whole;

  let client: HubClient;
  let commit: string;
  try {
    client = await connect(reference, settings, options);
    commit = await client.commit();
  } catch (error) {
    if (!whole || !isUnavailable(error)) throw error;
    onEvent({ type: "from-cache", commit: whole.commit, reason: (error as MulliganError).message });
    return whole;
  }
  await download(client, commit, reference, repo, options);
  await repo.remember(reference.revision, commit);
  return { folder: repo.snapshot(commit), commit };
}

async function download(
  client: HubClient,
  commit: string,
  { name }: HubReference,
  repo: CachedRepo,
  { signal, onEvent = () => {}, accept }: FetchOptions,
): Promise<void> {
  const all = await client.files(commit);
  const files = pickFiles(all);
  const lacking = lackingName(files.map(({ path }) => path));
  if (lacking !== undefined) throw lacks(name, lacking, all);
  const folder = repo.snapshot(commit);
  const isPlaced = await Promise.all(
    files.map(async ({ path, size }) => (await sizeOf(join(folder, path))) === size),
  );
  const wanted = files.filter((_, i) => !isPlaced[i]);
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  const bring = async (file: RemoteFile) => {
    const blob = repo.blob(file.checksum);
    const onBytes = (bytes: number) =>
      onEvent({ type: "downloading", file: file.path, received: before + bytes, total });
    if ((await sizeOf(blob)) !== file.size)
      await downloadBlob(client, commit, file, blob, { onBytes, signal });
    await repo.place(file.checksum, commit, file.path);
    before += file.size;
    onEvent({ type: "downloading", file: file.path, received: before, total });
  };
  for (const file of wanted.filter(({ path }) => !holdsWeights(path))) await bring(file);
  await accept?.(folder);
  for (const file of wanted.filter(({ path }) => holdsWeights(path))) await bring(file);
  const missing = await missingFile(folder);
  if (missing !== undefined) throw lacks(name, missing, all);
}

function lacks(name: string, file: string, all: readonly RemoteFile[]): MulliganError {
  const has = (pattern: RegExp) => all.some(({ path }) => pattern.test(path));
  const hint = has(/\.gguf$/)
    ? "GGUF is not read: take the safetensors version of the model"
    : has(/^adapter_model\./)
      ? "this is a LoRA adapter: its base model is named in adapter_config.json"
      : has(/^pytorch_model.*\.bin$/)
        ? "pickled weights are not read: take a version with safetensors"
        : "take a repository with config.json, tokenizer.json and safetensors weights";
  return new MulliganError("hub", `model "${name}": must have ${file}, which its repository lacks`, { hint });
}

function refuseOffline(
  { name, revision }: HubReference,
  { cache }: HubSettings,
  cached: CachedModel | undefined,
): never {
  const got = cached ? `no ${cached.missing}` : "nothing of it";
  throw new MulliganError(
    "hub",
    `model "${name}@${revision}": must be in the cache when HF_HUB_OFFLINE is set, got ${got} in ${cache}`,
    { hint: "unset HF_HUB_OFFLINE to fetch it, or set HF_HUB_CACHE to where it is" },
  );
}
