/** Which files of a repository make a model here: its configuration, its tokenizer and its safetensors weights. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readJsonFile } from "../core/json-file.ts";
import {
  FILES_BESIDE_WEIGHTS,
  isShard,
  MAX_INDEX_BYTES,
  WEIGHTS,
  WEIGHTS_INDEX,
} from "../core/model-folder.ts";

const NEEDED = ["config.json", "tokenizer.json"];

/** Those of a repository's files to fetch, weights last. Only names without a folder: no listing leads out of the cache. */
export function pickFiles<File extends { path: string }>(files: readonly File[]): File[] {
  const isWhole = files.some(({ path }) => path === WEIGHTS);
  const isWeight = (path: string) => (isWhole ? path === WEIGHTS : path === WEIGHTS_INDEX || isShard(path));
  return [
    ...files.filter(({ path }) => path === "config.json" || FILES_BESIDE_WEIGHTS.includes(path)),
    ...files.filter(({ path }) => isWeight(path)),
  ];
}

/** The first file that is lacking among those of a repository, before any was fetched. */
export function lackingName(names: readonly string[]): string | undefined {
  const needed = NEEDED.find((name) => !names.includes(name));
  return needed ?? (names.includes(WEIGHTS) || names.includes(WEIGHTS_INDEX) ? undefined : WEIGHTS);
}

/** The first file that a snapshot folder lacks, or undefined when it is a whole model. */
export async function missingFile(folder: string): Promise<string | undefined> {
  const isThere = (name: string) => existsSync(join(folder, name));
  const lacking = lackingName([...NEEDED, WEIGHTS, WEIGHTS_INDEX].filter(isThere));
  if (lacking !== undefined || isThere(WEIGHTS)) return lacking;
  try {
    const { weight_map: map } = Object(await readJsonFile(join(folder, WEIGHTS_INDEX), MAX_INDEX_BYTES));
    const shards = [...new Set(Object.values(map as Record<string, unknown>))];
    return shards.map(String).find((name) => !isShard(name) || !isThere(name));
  } catch {
    return WEIGHTS_INDEX;
  }
}
