/** The names of the files in a model's or an adapter's folder, as transformers and PEFT give them. Knows nothing of what is in them. */

export const WEIGHTS = "model.safetensors";
export const WEIGHTS_INDEX = "model.safetensors.index.json";
/** Largest index, in bytes; the largest known have a few hundred kilobytes. */
export const MAX_INDEX_BYTES = 2 ** 24;
export const ADAPTER_CONFIG = "adapter_config.json";
export const ADAPTER_WEIGHTS = "adapter_model.safetensors";

/** Those that turn text into tokens. */
export const TEXT_FILES: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];

/** What goes with a model's weights besides config.json. */
export const FILES_BESIDE_WEIGHTS: readonly string[] = [
  ...TEXT_FILES,
  "tokenizer.model", // asked for by llama.cpp's converter of Phi-3
  "generation_config.json",
];

/** One of the files that weights are split into? */
export function isShard(name: string): boolean {
  return /^model-\d{5}-of-\d{5}\.safetensors$/.test(name);
}

/** Does a file of this name hold a model's weights, or a part of them? */
export function holdsWeights(name: string): boolean {
  return name === WEIGHTS || isShard(name);
}
