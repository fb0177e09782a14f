/** One step of decoding: a token for each row of a batch. */
import { extendMask } from "../prefixes/masks.ts";
import { rotationFeeds } from "../training/passes.ts";
import { int64 } from "../weights.ts";
import type { Blocks } from "./choice.ts";
import { hasEntries } from "./kv-cache.ts";
import { type GrowingRows, lastingFeeds, masksOf, type Sampler } from "./prefill.ts";
import { columnsOf, nextStep, type RecentSteps, recentFeeds } from "./recent-steps.ts";
import { BLOCK } from "./sampling-graph.ts";

/** Rows that grow together, step by step. */
export interface SteppingRows extends GrowingRows {
  recent: RecentSteps;
}

/** What one step gave: each row's scores for its next token. */
export interface Step {
  scores(row: number): Float32Array;
  /** Where the graph sums them up. */
  blocks(row: number): Blocks | undefined;
}

/** One new token for each row, which becomes the last of its recent ones. At temperature 0 the blocks' masses mean nothing. */
export async function stepRows(
  sampler: Sampler,
  { cache, recent, shared }: SteppingRows,
  tokens: readonly number[],
  temperature: number,
): Promise<Step> {
  const { config } = sampler.weights;
  const count = tokens.length;
  // ended rows that are computed along may be beyond the last position
  const positions = cache.lengths.map((length, row) =>
    Math.min(cache.starts[row]! + length + recent.count, config.contextLength - 1),
  );
  const past = hasEntries(cache);
  const seen = { ...cache, capacity: past ? cache.capacity : 0 };
  const session = await sampler.step({
    shared: shared !== undefined,
    past,
    rows: count,
    isFew: recent.isFew,
  });
  const feeds = {
    tokens: { data: int64(tokens), dims: [count] },
    ...rotationFeeds(config, positions, count),
    ...recentFeeds(config, recent),
    ...masksOf(sampler.weights, (window) => {
      const recentColumns = { length: recent.count, width: columnsOf(recent) };
      const columns = { width: 1, window, shared: shared?.width, recent: recentColumns };
      const { data, dims } = extendMask(seen, columns);
      return { data, dims: [count, 1, 1, dims.at(-1)!] };
    }),
    inverse_temperature: { data: Float32Array.of(temperature > 0 ? 1 / temperature : 1), dims: [] },
  };
  const lasting = lastingFeeds(sampler, { cache, shared });
  const result = await session.run([feeds, ...lasting], nextStep(config, recent));
  recent.count++;
  sampler.computed.decodedTokens += count;
  const rowOf = (name: string, row: number) => {
    const data = result[name]!.data as Float32Array;
    return data.subarray((row * data.length) / count, ((row + 1) * data.length) / count);
  };
  return {
    scores: (row) => rowOf("logits", row),
    blocks: (row) =>
      result.block_masses && {
        size: BLOCK,
        highest: rowOf("block_highest", row),
        masses: rowOf("block_masses", row),
      },
  };
}
