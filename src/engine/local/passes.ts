/**
 * forward and forwardBackward of the local engine: packs datums into padded rows, runs the graph, adds gradients to
 * one flat buffer. Rows are padded on the right, where causal attention keeps padding from being seen.
 */
import type { Datum } from "../../core/datum.ts";
import type { Feed, Session } from "../../graph/index.ts";
import { cachedRopeTables } from "../../model/rope-tables.ts";
import type { ForwardBackwardResult, Loss } from "../contract.ts";
import { lossMetrics } from "./loss-metrics.ts";
import { int64, type Weights } from "./weights.ts";

/** Padded tokens per graph run: bounds memory. Arbitrary, not tuned. */
const TOKENS_PER_RUN = 8192;
/** Row lengths are rounded up to this, so that the runtime's memory pool sees few different shapes. */
const LENGTH_STEP = 8;

type Input = Pick<Datum, "tokens" | "targets">;

/** A run of at least this many tokens is closed when the next row would be padded by more than a quarter. */
const TOKENS_WORTH_A_RUN = 1024;

/** Indices of the datums of each run: longest first, so that rows of a run are alike. */
export function planRuns(data: readonly Input[]): number[][] {
  const order = data
    .map((_, i) => i)
    .sort((a, b) => data[b]!.tokens.length - data[a]!.tokens.length || a - b);
  const runs: number[][] = [];
  let width = 0;
  for (const index of order) {
    const length = data[index]!.tokens.length;
    const run = runs.at(-1);
    const size = (run?.length ?? 0) * width;
    const wasteful = size >= TOKENS_WORTH_A_RUN && length < 0.75 * width;
    if (run && !wasteful && size + width <= TOKENS_PER_RUN) {
      run.push(index);
    } else {
      width = roundUp(length);
      runs.push([index]);
    }
  }
  return runs;
}

const roundUp = (length: number) => Math.ceil(length / LENGTH_STEP) * LENGTH_STEP;

/** One padded batch: where each datum's tokens lie in the flat [B·T] arrays. */
interface Batch {
  rows: number;
  width: number;
  indices: readonly number[];
}

/** ln p of every target. // one [T] per datum */
export async function runForward(
  session: Session,
  weights: Weights,
  feeds: Record<string, Feed>,
  data: readonly Input[],
  temperature: number,
): Promise<Float32Array[]> {
  const logprobs: Float32Array[] = new Array(data.length);
  for (const indices of planRuns(data)) {
    const batch = toBatch(data, indices);
    const result = await session.run({ ...feeds, ...batchFeeds(weights, data, batch, temperature) });
    takeLogprobs(result.logprobs!.data as Float32Array, data, batch, logprobs);
  }
  return logprobs;
}

/** Adds the gradient of the summed loss to `gradient` (laid out as the parameters). */
export async function runForwardBackward(
  session: Session,
  weights: Weights,
  feeds: Record<string, Feed>,
  data: readonly Datum[],
  loss: Loss,
  gradient: Float32Array,
): Promise<ForwardBackwardResult> {
  const logprobs: Float32Array[] = new Array(data.length);
  let total = 0;
  for (const indices of planRuns(data)) {
    const batch = toBatch(data, indices);
    const result = await session.run({
      ...feeds,
      ...batchFeeds(weights, data, batch, loss.temperature ?? 1),
      ...lossFeeds(data, batch, loss),
    });
    total += Number(result.loss!.data[0]);
    takeLogprobs(result.logprobs!.data as Float32Array, data, batch, logprobs);
    for (const { name, offset, size } of weights.parameters) {
      const d = result[`d:${name}`]!.data as Float32Array;
      for (let i = 0; i < size; i++) gradient[offset + i]! += d[i]!;
    }
  }
  return { logprobs, metrics: { "loss:sum": total, ...lossMetrics(data, logprobs, loss) } };
}

function toBatch(data: readonly Input[], indices: readonly number[]): Batch {
  const longest = Math.max(...indices.map((i) => data[i]!.tokens.length));
  return { rows: indices.length, width: roundUp(longest), indices };
}

function batchFeeds(
  weights: Weights,
  data: readonly Input[],
  batch: Batch,
  temperature: number,
): Record<string, Feed> {
  const { rows, width } = batch;
  const tables = cachedRopeTables(weights.config, width);
  const positions = new Int32Array(rows * width).map((_, i) => i % width);
  return {
    tokens: { data: int64(pack(data, batch, (datum) => datum.tokens)), dims: [rows, width] },
    targets: { data: int64(pack(data, batch, (datum) => datum.targets)), dims: [rows * width] },
    positions: { data: int64(positions), dims: [rows, width] },
    mask: { data: causalMask(width), dims: [1, 1, width, width] },
    rope_cos: { data: tables.cos, dims: tables.dims },
    rope_sin: { data: tables.sin, dims: tables.dims },
    inverse_temperature: { data: Float32Array.of(1 / temperature), dims: [] },
  };
}

function lossFeeds(data: readonly Datum[], batch: Batch, loss: Loss): Record<string, Feed> {
  const dims = [batch.rows * batch.width];
  const feed = (of: (datum: Datum) => Float32Array | undefined): Feed => ({
    data: pack(data, batch, of),
    dims,
  });
  const feeds: Record<string, Feed> =
    loss.name === "cross_entropy"
      ? { weights: feed((datum) => datum.weights) }
      : { sampled_logprobs: feed((datum) => datum.logprobs), advantages: feed((datum) => datum.advantages) };
  if (loss.name === "ppo") {
    feeds.clip_low = { data: Float32Array.of(loss.clipLow ?? 0.8), dims: [] };
    feeds.clip_high = { data: Float32Array.of(loss.clipHigh ?? 1.2), dims: [] };
  }
  if (loss.kl) {
    feeds.kl_weights = feed((datum) => datum.klWeights);
    feeds.kl_mask = feed((datum) => datum.klWeights?.map((weight) => (weight === 0 ? 0 : 1)));
    feeds.reference_logprobs = feed((datum) => datum.referenceLogprobs);
  }
  return feeds;
}

/** Rows side by side, zero where a row has ended (token 0 there is never seen and never weighted). */
function pack<D extends Input>(
  data: readonly D[],
  { rows, width, indices }: Batch,
  of: (datum: D) => ArrayLike<number> | undefined,
): Float32Array {
  const packed = new Float32Array(rows * width);
  indices.forEach((index, row) => {
    const numbers = of(data[index]!);
    if (numbers) packed.set(numbers, row * width);
  });
  return packed;
}

function takeLogprobs(flat: Float32Array, data: readonly Input[], batch: Batch, into: Float32Array[]): void {
  batch.indices.forEach((index, row) => {
    const start = row * batch.width;
    into[index] = flat.slice(start, start + data[index]!.tokens.length);
  });
}

const masks = new Map<number, Float32Array>();

/** 0 on and below the diagonal, very negative above. // [T, T] */
export function causalMask(width: number): Float32Array {
  let mask = masks.get(width);
  if (!mask) {
    mask = new Float32Array(width * width).map((_, i) => (i % width > Math.floor(i / width) ? -1e30 : 0));
    masks.set(width, mask);
  }
  return mask;
}
