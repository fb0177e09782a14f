/** The model in memory: one flat buffer of parameters with a zero-copy view per tensor, ready to be fed to graphs. */
import type { Feed } from "../../graph/index.ts";
import type { Model } from "../../model/folder.ts";
import type { Tensor } from "../../model/tensors.ts";

export type Weights = Model;

/** Feeds that alias `flat`: an optimiser step in place is seen by the next run. */
export function weightFeeds(tensors: readonly Tensor[], flat: Float32Array): Record<string, Feed> {
  return Object.fromEntries(
    tensors.map(({ name, shape, offset, size }) => [
      name,
      { data: flat.subarray(offset, offset + size), dims: shape },
    ]),
  );
}

/** int64 feed data from small non-negative integers, without a BigInt per number. */
export function int64(numbers: ArrayLike<number>): BigInt64Array {
  const words = new Int32Array(2 * numbers.length);
  for (let i = 0; i < numbers.length; i++) words[2 * i] = numbers[i]!;
  return new BigInt64Array(words.buffer);
}
