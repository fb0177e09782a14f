/** Keys and values as plain arrays: where they lie, and how they are copied and fed. Knows neither rows nor sequences. */
import type { Feed } from "../../../graph/index.ts";
import type { ModelConfig } from "../../../model/config.ts";
import type { MemoryPool } from "./memory-pool.ts";

export type CacheShape = Pick<ModelConfig, "layers" | "kvHeads" | "headSize">;

/** One part of the memory per layer. */
export interface Numbers {
  memory: Float32Array;
  keys: Float32Array[];
  values: Float32Array[];
}

/** Where some consecutive tokens' numbers lie. */
export interface KeptNumbers {
  /** One array per layer, keys rotated. Head h's numbers lie together from start + h · headStride. // [tokens, D] */
  keys: Float32Array[];
  values: Float32Array[];
  start: number;
  headStride: number;
}

/** Entries of a row that follow each other, wherever they lie. */
export interface Entries extends KeptNumbers {
  length: number;
}

/** Memory for `size` numbers of keys in each layer, and as many of values. */
export function takeNumbers(
  { layers }: CacheShape,
  size: number,
  take: MemoryPool["take"] = (total) => new Float32Array(total),
): Numbers {
  const memory = take(2 * layers * size);
  const perLayer = (first: number) =>
    Array.from({ length: layers }, (_, layer) =>
      memory.subarray((first + layer) * size, (first + layer + 1) * size),
    );
  return { memory, keys: perLayer(0), values: perLayer(layers) };
}

/** Copies entries to where others lie. */
export function copyEntries(
  { layers, kvHeads, headSize }: CacheShape,
  { keys, values, start, headStride, length }: Entries,
  to: KeptNumbers,
): void {
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) {
      const first = start + head * headStride;
      const end = first + length * headSize;
      const place = to.start + head * to.headStride;
      to.keys[layer]!.set(keys[layer]!.subarray(first, end), place);
      to.values[layer]!.set(values[layer]!.subarray(first, end), place);
    }
  }
}

/** Inputs or outputs `name_keys.i`, `name_values.i`. */
export function numberFeeds(
  { keys, values }: Numbers,
  name: string,
  dims: readonly number[],
): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (let layer = 0; layer < keys.length; layer++) {
    feeds[`${name}_keys.${layer}`] = { data: keys[layer]!, dims };
    feeds[`${name}_values.${layer}`] = { data: values[layer]!, dims };
  }
  return feeds;
}
