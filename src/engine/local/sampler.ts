/**
 * Batched sampling with a key/value cache. A sample depends on its own prompt and seed: token t is chosen at
 * uniform(seed, t), whoever shares the batch. Rows that end leave the batch.
 */
import { MulliganError } from "../../core/errors.ts";
import { uniform } from "../../core/rng.ts";
import type { Feed, Session } from "../../graph/index.ts";
import { cachedRopeTables } from "../../model/rope-tables.ts";
import type { Sample, SampleRequest, SamplingParams } from "../contract.ts";
import { chooseToken } from "./choice.ts";
import { cacheFeeds, copyRows, createKvCache, type KvCache, stepMask, writeRow } from "./kv-cache.ts";
import { causalMask } from "./passes.ts";
import { int64, type Weights } from "./weights.ts";

/** Rows decoded together, and padded prompt tokens per prefill. Arbitrary, not tuned. */
const ROWS_PER_BATCH = 256;
const TOKENS_PER_PREFILL = 8192;

export interface Sampler {
  prefill: Session;
  decode: Session;
  weights: Weights;
  feeds: Record<string, Feed>;
}

/** A sample under way. */
interface Row {
  index: number;
  request: SampleRequest;
  limit: number;
  tokens: number[];
  logprobs: number[];
  stopped: boolean;
}

/** One sample per request, in order. Throws `MulliganError("context")` for a prompt that leaves no room. */
export async function runSample(
  sampler: Sampler,
  requests: readonly SampleRequest[],
  params: SamplingParams,
): Promise<Sample[]> {
  const rows = requests.map((request, index) => createRow(sampler.weights, request, index, params));
  // Prompts of like length share a batch, so that little is padded.
  const order = [...rows].sort(
    (a, b) => b.request.prompt.length - a.request.prompt.length || a.index - b.index,
  );
  for (let start = 0; start < order.length; start += ROWS_PER_BATCH) {
    await sampleBatch(sampler, order.slice(start, start + ROWS_PER_BATCH), params);
  }
  return rows.map((row) => ({
    tokens: Int32Array.from(row.tokens),
    logprobs: Float32Array.from(row.logprobs),
    stopReason: row.stopped ? "stop" : "length",
  }));
}

function createRow({ config }: Weights, request: SampleRequest, index: number, params: SamplingParams): Row {
  const room = config.contextLength - request.prompt.length;
  if (request.prompt.length === 0 || room < 1) {
    throw new MulliganError(
      "context",
      `prompt ${index}: must have 1 to ${config.contextLength - 1} tokens to leave room for a sample, got ${request.prompt.length}`,
      { hint: "shorten the prompt, or use a model with a longer context (max_position_embeddings)" },
    );
  }
  const bad = request.prompt.find((id) => !(id >= 0 && id < config.vocabSize));
  if (bad !== undefined) {
    throw new MulliganError(
      "engine",
      `prompt ${index}: ids must lie in 0..${config.vocabSize - 1}, got ${bad}`,
    );
  }
  return {
    index,
    request,
    limit: Math.min(params.maxTokens, room),
    tokens: [],
    logprobs: [],
    stopped: false,
  };
}

async function sampleBatch(sampler: Sampler, batch: Row[], params: SamplingParams): Promise<void> {
  const { config } = sampler.weights;
  const longest = Math.max(...batch.map((row) => row.request.prompt.length));
  let cache = createKvCache(config, batch.length, longest + 1);
  let active = batch;
  let scores = await prefill(sampler, batch, cache);
  for (;;) {
    active.forEach((row, i) => void takeToken(row, scores, i, config.vocabSize, params));
    const going = active.flatMap((row, i) => (hasEnded(row) ? [] : [i]));
    if (going.length === 0) return;
    const needed = Math.max(...going.map((i) => cache.lengths[i]!)) + 1;
    // Ended rows are computed along until a quarter of the batch has ended: each removal copies the cache.
    if (needed > cache.capacity || going.length <= 0.75 * active.length) {
      cache = copyRows(config, cache, going, needed);
      active = going.map((i) => active[i]!);
    }
    scores = await decodeStep(sampler, active, cache);
  }
}

const hasEnded = (row: Row) => row.stopped || row.tokens.length >= row.limit;

function takeToken(
  row: Row,
  scores: Float32Array,
  i: number,
  vocabSize: number,
  params: SamplingParams,
): void {
  if (hasEnded(row)) return;
  const u = uniform(row.request.seed, row.tokens.length);
  const { token, logprob } = chooseToken(scores.subarray(i * vocabSize, (i + 1) * vocabSize), params, u);
  row.tokens.push(token);
  row.logprobs.push(logprob);
  row.stopped = params.stop.includes(token);
}

/** Runs the prompts, fills the cache, and returns the scores of each row's next token. // [B, V] */
async function prefill(sampler: Sampler, batch: readonly Row[], cache: KvCache): Promise<Float32Array> {
  const { vocabSize } = sampler.weights.config;
  const scores = new Float32Array(batch.length * vocabSize);
  let start = 0;
  while (start < batch.length) {
    // Rows come longest first, so the first of a part is as wide as any in it.
    const width = batch[start]!.request.prompt.length;
    const count = Math.max(1, Math.min(batch.length - start, Math.floor(TOKENS_PER_PREFILL / width)));
    const part = batch.slice(start, start + count);
    scores.set(await prefillPart(sampler, part, width, cache, start), start * vocabSize);
    start += count;
  }
  return scores;
}

async function prefillPart(
  sampler: Sampler,
  part: readonly Row[],
  width: number,
  cache: KvCache,
  firstRow: number,
): Promise<Float32Array> {
  const { config } = sampler.weights;
  const tokens = new Int32Array(part.length * width);
  part.forEach((row, i) => void tokens.set(row.request.prompt, i * width));
  const positions = tokens.map((_, i) => i % width);
  const last = part.map((row, i) => i * width + row.request.prompt.length - 1);
  const result = await sampler.prefill.run({
    ...sampler.feeds,
    ...inputFeeds(sampler.weights, tokens, positions, part.length, last),
    mask: { data: causalMask(width), dims: [1, 1, width, width] },
  });
  const counts = part.map((row) => row.request.prompt.length);
  storeEntries(config, cache, result, firstRow, width, counts);
  return result.logits!.data as Float32Array;
}

async function decodeStep(sampler: Sampler, active: readonly Row[], cache: KvCache): Promise<Float32Array> {
  const { config } = sampler.weights;
  const tokens = Int32Array.from(active, (row) => row.tokens.at(-1)!);
  const result = await sampler.decode.run({
    ...sampler.feeds,
    ...inputFeeds(sampler.weights, tokens, Int32Array.from(cache.lengths), active.length, [...active.keys()]),
    ...cacheFeeds(config, cache),
    mask: stepMask(cache),
  });
  // A row that has ended but still rides along writes nothing.
  storeEntries(
    config,
    cache,
    result,
    0,
    1,
    active.map((row) => (hasEnded(row) ? 0 : 1)),
  );
  return result.logits!.data as Float32Array;
}

function storeEntries(
  config: Weights["config"],
  cache: KvCache,
  result: Record<string, { data: unknown }>,
  firstRow: number,
  width: number,
  counts: readonly number[],
): void {
  for (let layer = 0; layer < config.layers; layer++) {
    for (const part of ["keys", "values"] as const) {
      const output = result[`${part}.${layer}`]!.data as Float32Array;
      counts.forEach((count, i) => {
        if (count > 0) writeRow(config, cache, cache[part][layer]!, firstRow + i, output, i, width, count);
      });
    }
  }
  for (const [i, count] of counts.entries()) cache.lengths[firstRow + i]! += count;
}

function inputFeeds(
  weights: Weights,
  tokens: Int32Array,
  positions: Int32Array,
  rows: number,
  last: readonly number[],
): Record<string, Feed> {
  const tables = cachedRopeTables(weights.config, Math.max(...positions) + 1);
  const dims = [rows, tokens.length / rows];
  return {
    tokens: { data: int64(tokens), dims },
    positions: { data: int64(positions), dims },
    last: { data: int64(last), dims: [rows] },
    rope_cos: { data: tables.cos, dims: tables.dims },
    rope_sin: { data: tables.sin, dims: tables.dims },
  };
}
