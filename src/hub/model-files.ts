/** Which files of a repository make a model here: its configuration, its tokenizer and its safetensors weights. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readJsonFile } from "../core/json-file.ts";

const NEEDED = ["config.json", "tokenizer.json"];
const WANTED = [
  ...NEEDED,
  "generation_config.json",
  "tokenizer.model", // asked for by llama.cpp's converter of Phi-3
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];
const WHOLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** Largest index; the largest known have a few hundred kilobytes. */
const MAX_INDEX_BYTES = 2 ** 24;
const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;

/** Large ones; a model's other files say what they are. */
export function holdsWeights(name: string): boolean {
  return name === WHOLE || SHARD.test(name);
}

/** Those of a repository's files to fetch, weights last. Only names without a folder: no listing leads out of the cache. */
export function pickFiles<File extends { path: string }>(files: readonly File[]): File[] {
  const isWhole = files.some(({ path }) => path === WHOLE);
  const isWeight = (path: string) => (isWhole ? path === WHOLE : path === INDEX || SHARD.test(path));
  return [
    ...files.filter(({ path }) => WANTED.includes(path)),
    ...files.filter(({ path }) => isWeight(path)),
  ];
}

/** The first file that is lacking among those of a repository, before any was fetched. */
export function lackingName(names: readonly string[]): string | undefined {
  const needed = NEEDED.find((name) => !names.includes(name));
  return needed ?? (names.includes(WHOLE) || names.includes(INDEX) ? undefined : WHOLE);
}

/** The first file that a snapshot folder lacks, or undefined when it is a whole model. */
export async function missingFile(folder: string): Promise<string | undefined> {
  const isThere = (name: string) => existsSync(join(folder, name));
  const lacking = lackingName([...NEEDED, WHOLE, INDEX].filter(isThere));
  if (lacking !== undefined || isThere(WHOLE)) return lacking;
  try {
    const { weight_map: map } = Object(await readJsonFile(join(folder, INDEX), MAX_INDEX_BYTES));
    const shards = [...new Set(Object.values(map as Record<string, unknown>))];
    return shards.map(String).find((name) => !SHARD.test(name) || !isThere(name));
  } catch {
    return INDEX;
  }
}
