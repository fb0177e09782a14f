/**
 * Batched sampling over a key/value cache. A sample depends on its own prompt and seed: token t is chosen at
 * uniform(seed, t), whoever shares the batch. Rows leave as they end and waiting prompts take their places.
 */
import { uniform } from "../../../core/rng.ts";
import type { Sample, SampleRequest, SamplingParams } from "../../contract.ts";
import { checkPrompts } from "../input-check.ts";
import type { Weights } from "../weights.ts";
import { chooseToken } from "./choice.ts";
import { appendTokens, assembleCache, type KvCache, keepRow, type RowSource } from "./kv-cache.ts";
import type { KvNode } from "./kv-store.ts";
import { prefillPrompts, type Sampler, type Step, stepRows } from "./prefill.ts";
import { chooseShared, gatherShared, type SharedPrefixes } from "./shared-prefix.ts";

/** Rows decoded together. Arbitrary, not tuned. */
export const ROWS_PER_BATCH = 256;

/** Leaving and entering copies the cache, so it waits until this share of the places is free. */
const SHARE_TO_CHANGE = 0.25;

/** So few samples are bound by reading the weights, which are then worth packing (core.ts). Arbitrary, not tuned. */
const FEW = 4;

/** Spare entries of a row's cache when it is made, unless half of those in use are more. Arbitrary, not tuned. */
const LEAST_SPARE = 32;

/** A sample under way. */
interface Row {
  index: number;
  request: SampleRequest;
  limit: number;
  tokens: number[];
  logprobs: number[];
  stopped: boolean;
  /** The kept sequence of all prompt tokens but the last. */
  prompt: KvNode | undefined;
  /** Its beginning that other rows share. */
  shared: KvNode | undefined;
}

interface Batch {
  rows: Row[];
  /** What each row does not share. */
  cache: KvCache;
  shared: SharedPrefixes | undefined;
  /** Of all the call's samples: what one of many gives must not change when the others have ended. */
  isFew: boolean;
}

/** One sample per request, in order. Throws what checkPrompts throws. */
export async function runSample(
  sampler: Sampler,
  requests: readonly SampleRequest[],
  params: SamplingParams,
): Promise<Sample[]> {
  checkPrompts(sampler.weights.config, requests);
  const rows = requests.map((request, index) => createRow(sampler.weights, request, index, params));
  // Prompts of like length share a batch, so that little is padded.
  const waiting = [...rows].sort(
    (a, b) => b.request.prompt.length - a.request.prompt.length || a.index - b.index,
  );
  const cache = assembleCache(sampler.weights.config, [], 0);
  let batch: Batch = { rows: [], cache, shared: undefined, isFew: requests.length <= FEW };
  for (;;) {
    batch = await changeRows(sampler, batch, waiting);
    if (batch.rows.length === 0) break;
    await decodeStep(sampler, batch, params);
  }
  sampler.store.retire(batch.cache);
  sampler.store.trim();
  sampler.memory.trim();
  return rows.map((row) => ({
    tokens: Int32Array.from(row.tokens),
    logprobs: Float32Array.from(row.logprobs),
    stopReason: row.stopped ? "stop" : "length",
  }));
}

function createRow({ config }: Weights, request: SampleRequest, index: number, params: SamplingParams): Row {
  const room = config.contextLength - request.prompt.length;
  const limit = Math.min(params.maxTokens, room);
  return {
    index,
    request,
    limit,
    tokens: [],
    logprobs: [],
    stopped: false,
    prompt: undefined,
    shared: undefined,
  };
}

const hasEnded = (row: Row) => row.stopped || row.tokens.length >= row.limit;
const goingOf = (rows: readonly Row[]) => rows.flatMap((row, i) => (hasEnded(row) ? [] : [i]));

/** The batch without ended rows and with waiting ones, where that is worth a copy of the cache; else grown if need be. */
async function changeRows(sampler: Sampler, batch: Batch, waiting: Row[]): Promise<Batch> {
  const { rows, cache } = batch;
  const { config } = sampler.weights;
  const going = goingOf(rows);
  const free = ROWS_PER_BATCH - going.length;
  const entering = free >= SHARE_TO_CHANGE * ROWS_PER_BATCH ? waiting.splice(0, free) : [];
  const needed = Math.max(0, ...going.map((i) => cache.lengths[i]! + 1));
  const isFull = needed > cache.capacity;
  const isSparse = going.length <= (1 - SHARE_TO_CHANGE) * rows.length;
  if (entering.length === 0 && !isFull && !isSparse) return batch;

  await admit(sampler, entering);
  const staying = [...going.map((i) => rows[i]!), ...entering];
  const sources: RowSource[] = [
    ...going.map((row) => ({ cache, row })),
    ...entering.map(({ prompt, shared }) => ({ node: prompt, after: shared })),
  ];
  const entries = Math.max(1, ...staying.map(entriesAhead));
  const grown = assembleCache(config, sources, entries, sampler.memory);
  sampler.store.retire(cache);
  return {
    ...batch,
    rows: staying,
    cache: grown,
    shared: gatherShared(
      config,
      staying.map(({ shared }) => shared),
    ),
  };
}

/** Prompts of new rows, and what those share with each other. */
async function admit(sampler: Sampler, entering: readonly Row[]): Promise<void> {
  const prompts = await prefillPrompts(
    sampler,
    entering.map((row) => row.request.prompt),
  );
  const shared = chooseShared(prompts);
  entering.forEach((row, i) => {
    row.prompt = prompts[i];
    row.shared = shared[i];
  });
}

/** Own entries of a row now, and some to come: a cache that grows is copied, and spare entries cost attention. */
function entriesAhead({ request, shared, tokens, limit }: Row): number {
  const own = request.prompt.length + tokens.length - (shared?.length ?? 0);
  return own + Math.min(limit - tokens.length, Math.max(LEAST_SPARE, Math.ceil(own / 2)));
}

/** One token for every row. Ended rows are computed along and write nothing. */
async function decodeStep(sampler: Sampler, batch: Batch, params: SamplingParams): Promise<void> {
  const { rows, cache } = batch;
  const { config } = sampler.weights;
  const last = rows.map(({ tokens, request }) => tokens.at(-1) ?? request.prompt.at(-1)!);
  const step = await stepRows(sampler, batch, last, params.temperature);
  const going = goingOf(rows);
  appendTokens(config, cache, step.heads, going);
  for (const i of going) {
    const row = rows[i]!;
    takeToken(row, step, i, params);
    if (hasEnded(row)) keepSample(sampler, row, cache, i);
  }
}

function takeToken(row: Row, { scores, blocks }: Step, i: number, params: SamplingParams): void {
  const u = uniform(row.request.seed, row.tokens.length);
  const { token, logprob } = chooseToken(scores(i), params, u, blocks(i));
  row.tokens.push(token);
  row.logprobs.push(logprob);
  row.stopped = params.stop.includes(token);
}

/** What was computed of a sample (all but its last token), for prompts that go on from it. */
function keepSample(
  { store, weights }: Sampler,
  { request, prompt, tokens }: Row,
  cache: KvCache,
  i: number,
): void {
  const computed = Int32Array.from([request.prompt.at(-1)!, ...tokens.slice(0, -1)]);
  const kept = keepRow(weights.config, cache, i, request.prompt.length - 1);
  cache.kept.push(store.add({ parent: prompt, tokens: computed, ...kept }));
}
