/**
 * The files that hold a folder's weights: one model.safetensors, or shards and the index that lists them, named as
 * transformers names them. Knows tensors only by name, not what a model needs.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { writeAtomic } from "../core/atomic-file.ts";
import { MulliganError } from "../core/errors.ts";
import { readJsonFile } from "../core/json-file.ts";
import {
  ADAPTER_WEIGHTS,
  holdsWeights,
  MAX_INDEX_BYTES,
  WEIGHTS,
  WEIGHTS_INDEX,
} from "../core/model-folder.ts";
import {
  openSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "./safetensors.ts";
import { bytesPerValue, type Dtype, sizeOf } from "./safetensors-header.ts";

/** Each is held open. The largest published models have some 200 shards. */
const MAX_SHARDS = 1024;

/** A folder's weights, opened: every header is checked, no tensor is read. */
export interface WeightFiles {
  /** The file that lists all tensors. */
  path: string;
  /** The file of each tensor. */
  files: ReadonlyMap<string, SafetensorsFile>;
  close(): Promise<void>;
}

/** Opens model.safetensors, or the shards of its index. Throws `MulliganError("checkpoint")`. */
export async function openWeights(folder: string): Promise<WeightFiles> {
  const names = await readdir(folder).catch((): string[] => []);
  // As transformers does: the single file wins.
  if (!names.includes(WEIGHTS) && names.includes(WEIGHTS_INDEX)) return openShards(folder);
  const path = join(folder, WEIGHTS);
  if (!names.includes(WEIGHTS)) {
    throw new MulliganError("checkpoint", `${path}: no such file`, { hint: missingHint(names) });
  }
  const file = await openSafetensors(path);
  return { path, files: new Map([...file.tensors.keys()].map((name) => [name, file])), close: file.close };
}

async function openShards(folder: string): Promise<WeightFiles> {
  const path = join(folder, WEIGHTS_INDEX);
  const entries = Object.entries(await readWeightMap(path));
  const isName = (file: unknown) =>
    typeof file === "string" &&
    !["", ".", ".."].includes(file) &&
    basename(file) === file &&
    !file.includes("\0");
  if (entries.length === 0 || !entries.every(([, file]) => isName(file))) {
    throw new MulliganError("checkpoint", `${path}: weight_map must map tensors to files of this folder`);
  }
  const names = new Set(entries.map(([, file]) => file as string));
  if (names.size > MAX_SHARDS) {
    throw new MulliganError(
      "checkpoint",
      `${path}: weight_map must name at most ${MAX_SHARDS} files, got ${names.size}`,
    );
  }
  const shards = new Map<string, SafetensorsFile>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of names) {
      shards.set(file, await openSafetensors(join(folder, file)));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { path, files: new Map(entries.map(([name, file]) => [name, shards.get(file)!])), close };
}

/** The names of an index's weight_map, or none: the caller refuses an empty map. */
async function readWeightMap(path: string): Promise<object> {
  try {
    const { weight_map: map } = Object(await readJsonFile(path, MAX_INDEX_BYTES));
    return typeof map === "object" && map !== null ? map : {};
  } catch (cause) {
    throw new MulliganError("checkpoint", `${path}: must be JSON (${(cause as Error).message})`, { cause });
  }
}

function missingHint(names: readonly string[]): string {
  if (names.some((name) => name.endsWith(".gguf")))
    return "GGUF is not read: take the safetensors version of the model";
  if (names.some((name) => /^pytorch_model.*\.bin$/.test(name))) {
    return "pickled weights are not read: save them with save_pretrained(..., safe_serialization=True)";
  }
  if (names.includes(ADAPTER_WEIGHTS)) {
    return "this is a LoRA adapter: merge it into its base model (merge_and_unload) and save that";
  }
  return "copy the model's weights beside its config.json";
}

export function isWeightFile(name: string): boolean {
  return name === WEIGHTS_INDEX || holdsWeights(name);
}

/** Writes the tensors into an empty folder and returns the names of the files, the index last. */
export async function writeWeights(
  folder: string,
  tensors: readonly TensorToWrite[],
  { dtype, maxShardBytes }: { dtype: Dtype; maxShardBytes: number },
): Promise<string[]> {
  const shards = shardTensors(tensors, dtype, maxShardBytes);
  for (const [file, shard] of shards) await writeSafetensors(join(folder, file), shard, { dtype });
  if (shards.size === 1) return [...shards.keys()];
  const index = JSON.stringify(shardIndex(shards, dtype), null, 2);
  await writeAtomic(join(folder, WEIGHTS_INDEX), `${index}\n`);
  return [...shards.keys(), WEIGHTS_INDEX];
}

/** Files in order, under the names that transformers gives them. */
function shardTensors(
  tensors: readonly TensorToWrite[],
  dtype: Dtype,
  maxBytes: number,
): Map<string, TensorToWrite[]> {
  const shards: TensorToWrite[][] = [[]];
  let room = maxBytes;
  for (const tensor of tensors) {
    const bytes = sizeOf(tensor.shape) * bytesPerValue[dtype];
    if (bytes > room && shards.at(-1)!.length > 0) {
      shards.push([]);
      room = maxBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  if (shards.length === 1) return new Map([[WEIGHTS, shards[0]!]]);
  const number = (n: number) => String(n).padStart(5, "0");
  const count = number(shards.length);
  return new Map(shards.map((shard, i) => [`model-${number(i + 1)}-of-${count}.safetensors`, shard]));
}

function shardIndex(shards: ReadonlyMap<string, readonly TensorToWrite[]>, dtype: Dtype): object {
  const entries = [...shards].flatMap(([file, shard]) => shard.map(({ name }) => [name, file]));
  const values = [...shards.values()].flat().reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { metadata: { total_size: values * bytesPerValue[dtype] }, weight_map: Object.fromEntries(entries) };
}
