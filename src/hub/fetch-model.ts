/** A model of the hub as a folder. Its weights come last: what it is can be looked at before they are fetched. */
import { MulliganError } from "../core/errors.ts";
import { holdsWeights } from "../core/model-folder.ts";
import { type CachedRepo, sizeOf } from "./cache.ts";
import type { RemoteFile } from "./client.ts";
import { type Fetching, type FetchOptions, fetchFromHub, startDownload } from "./fetch.ts";
import { lackingName, missingFile, pickFiles } from "./model-files.ts";
import type { HubReference } from "./reference.ts";

export interface HubModel {
  folder: string;
  /** The commit that the revision means. */
  commit: string;
  /** The first file that is not there; only where weights were not asked for. */
  missing?: string | undefined;
}

export interface FetchModelOptions extends FetchOptions {
  /** Looks at the folder before weights are fetched into it; throws for a model that would be of no use. */
  accept?: ((folder: string) => Promise<void>) | undefined;
  /** False: what says what the model is will do. Default true. */
  weights?: boolean | undefined;
}

/** Throws `MulliganError("hub")` that says what to do, `MulliganError("io")`, or the signal's reason. */
export async function fetchModel(
  reference: HubReference,
  options: FetchModelOptions = {},
): Promise<HubModel> {
  const download = (fetching: Fetching) => downloadModel(reference, fetching, options);
  return fetchFromHub(reference, { cached: findCached, download }, options);
}

async function findCached(repo: CachedRepo, commit: string): Promise<HubModel | { lacking: string }> {
  const folder = repo.snapshot(commit);
  if ((await sizeOf(folder)) === undefined) return { lacking: "nothing of it" };
  const missing = await missingFile(folder);
  return missing === undefined ? { folder, commit } : { lacking: `no ${missing}` };
}

async function downloadModel(
  { name }: HubReference,
  fetching: Fetching,
  options: FetchModelOptions,
): Promise<HubModel> {
  const { client, commit, repo } = fetching;
  const all = await client.files(commit);
  const files = pickFiles(all);
  const lacking = lackingName(files.map(({ path }) => path));
  if (lacking !== undefined) throw lacks(name, lacking, all);
  const folder = repo.snapshot(commit);
  const bring = await startDownload(fetching, files, options);
  for (const file of files.filter(({ path }) => !holdsWeights(path))) await bring(file);
  await options.accept?.(folder);
  if (options.weights === false) return { folder, commit, missing: await missingFile(folder) };
  for (const file of files.filter(({ path }) => holdsWeights(path))) await bring(file);
  const missing = await missingFile(folder);
  if (missing !== undefined) throw lacks(name, missing, all);
  return { folder, commit };
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
