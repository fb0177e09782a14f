/**
 * Stage 2 (method.md §1.1–1.3): G reflections on the same failed attempt, each followed by its own retry. Nothing here
 * knows what is learnt from it.
 */
import type { Failure, Group } from "../core/episode.ts";
import type { Task } from "../core/task.ts";
import type { Decoding, Policy } from "./policy.ts";
import { reflect } from "./reflection.ts";
import { retryAfterReflection } from "./retry.ts";
import type { Rows } from "./verdicts.ts";

export interface EpisodeOptions {
  rows: Rows;
  numGenerations: number;
  retriesPerReflection: number;
  reflectionDecoding: Decoding;
  retryDecoding: Decoding;
  seed: number;
  step: number;
  signal?: AbortSignal;
}

/** One group of `numGenerations` episodes per failure, in order. */
export async function reflectAndRetry(
  policy: Policy,
  task: Task,
  failures: readonly Failure[],
  options: EpisodeOptions,
): Promise<Group[]> {
  const { numGenerations, retriesPerReflection, reflectionDecoding, retryDecoding, ...common } = options;
  const reflections = await reflect(policy, task, failures, {
    ...common,
    numGenerations,
    decoding: reflectionDecoding,
  });
  const episodes = await retryAfterReflection(policy, task, reflections, {
    ...common,
    retries: retriesPerReflection,
    decoding: retryDecoding,
  });
  return failures.map((failure, i) => ({
    failure,
    episodes: episodes.slice(i * numGenerations, (i + 1) * numGenerations),
  }));
}
