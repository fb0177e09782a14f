/**
 * The order in which training visits its items. A position in an endless sequence of epochs, each shuffled by its own
 * seed, is all the state there is: a checkpoint keeps that one number.
 */
import { createRng, hashSeed } from "../core/rng.ts";
import { streams } from "../loop/streams.ts";
import type { MulliganConfig } from "./config.ts";

/** With dynamic sampling a step draws at most this many times failuresPerStep items. Arbitrary. */
const resamplingBound = 3;

/** Of one step: more than `failuresPerStep` only where dead groups are replaced. */
export function mostItemsPerStep({ failuresPerStep, dynamicSampling }: MulliganConfig): number {
  return dynamicSampling ? resamplingBound * failuresPerStep : failuresPerStep;
}

export interface Draw<T> {
  drawn: T[];
  /** Where the next draw begins. */
  position: number;
}

/**
 * The next `count` items from `position`, none of them twice and none that is `held` already: where an epoch ends
 * inside a step, the next one's order may begin with an item the step has (two equal groups would teach nothing new).
 * Fewer than `count` when all others are held.
 */
export function drawItems<T extends { id: string }>(
  items: readonly T[],
  {
    seed,
    position,
    count,
    held = [],
  }: { seed: number; position: number; count: number; held?: readonly T[] },
): Draw<T> {
  const taken = new Set(held.map(({ id }) => id));
  const most = Math.min(count, items.length - taken.size);
  const drawn: T[] = [];
  let epoch = -1;
  let order: T[] = [];
  while (drawn.length < most) {
    if (Math.floor(position / items.length) !== epoch) {
      epoch = Math.floor(position / items.length);
      order = createRng(hashSeed(seed, streams.order, epoch)).shuffle(items);
    }
    const item = order[position++ % items.length]!;
    if (taken.has(item.id)) continue;
    taken.add(item.id);
    drawn.push(item);
  }
  return { drawn, position };
}
