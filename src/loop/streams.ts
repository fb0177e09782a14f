/**
 * One number per kind of random draw. Every seed is hashSeed(run seed, stream, step, item, …): a function of what is
 * drawn, never of when, so batching, resuming or another arm of an experiment cannot change a draw.
 */
import { hashSeed, hashText } from "../core/rng.ts";

export const streams = {
  attempt: 1,
  reflection: 2,
  retry: 3,
  plainRetry: 4,
  /** The order in which an epoch visits its failures. */
  order: 5,
  /** The order in which a refresh visits the problems. */
  refresh: 6,
} as const;

/**
 * The seed of one utterance. `itemId` is the problem's or the failure's id; `generation` counts the siblings of a group;
 * `turn` the retries of one reflection. Step 0 is before training: collecting and evaluating.
 */
export function utteranceSeed(
  seed: number,
  stream: (typeof streams)[keyof typeof streams],
  step: number,
  itemId: string,
  generation: number,
  turn = 0,
): number {
  return hashSeed(seed, stream, step, hashText(itemId), generation, turn);
}
