/**
 * Batched sampling over a key/value cache. A sample depends on its own prompt and seed: token t is chosen at
 * uniform(seed, t), whoever shares the batch. Rows leave as they end and waiting prompts take their places.
 */
import { uniform } from "../../../core/rng.ts";
import type { Sample, SampleRequest, SamplingParams } from "../../contract.ts";
import { checkPrompts } from "../input-check.ts";
import type { Weights } from "../weights.ts";
import { chooseToken } from "./choice.ts";
import {
  assembleCache,
  entriesOf,
  type KvCache,
  type RowEntries,
  type RowSource,
  sourceOf,
} from "./kv-cache.ts";
import type { KvNode } from "./kv-store.ts";
import { prefillPrompts, type Sampler } from "./prefill.ts";
import { createRecentSteps, type RecentSteps, settleSteps } from "./recent-steps.ts";
import { chooseShared, gatherShared, type SharedPrefixes } from "./shared-prefix.ts";
import { type Step, stepRows } from "./step.ts";

/** Rows decoded together. Arbitrary, not tuned. */
export const ROWS_PER_BATCH = 256;

/** Leaving and entering copies the cache, so it waits until this share of the places is free. */
const SHARE_TO_CHANGE = 0.25;

/** A cache that grows finds its memory among what was given back before, if that had room for more. Arbitrary, not tuned. */
const ROOM_TO_GROW = 1.5;

/**
 * So few samples are bound by reading the weights, which are then worth packing (core.ts), and by what passes to and from
 * the runtime, which is then one array for all layers (recent-steps.ts). Arbitrary, not tuned.
 */
const FEW = 4;

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
  /** What each row does not share, up to when it entered or others did. */
  cache: KvCache;
  /** What all have taken since then. */
  recent: RecentSteps;
  shared: SharedPrefixes | undefined;
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
  let batch: Batch = {
    rows: [],
    cache: assembleCache(sampler.weights.config, []),
    recent: createRecentSteps(sampler, 0, { steps: 0, isFew: requests.length <= FEW }),
    shared: undefined,
  };
  for (;;) {
    batch = await changeRows(sampler, batch, waiting);
    if (batch.rows.length === 0) break;
    await decodeStep(sampler, batch, params);
  }
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

/** The batch without ended rows and with waiting ones, where that is worth a copy of the cache or the steps need one. */
async function changeRows(sampler: Sampler, batch: Batch, waiting: Row[]): Promise<Batch> {
  const { rows, cache, recent } = batch;
  const { memory, store, weights } = sampler;
  const going = goingOf(rows);
  const free = ROWS_PER_BATCH - going.length;
  const entering = free >= SHARE_TO_CHANGE * ROWS_PER_BATCH ? waiting.splice(0, free) : [];
  const isSparse = going.length <= (1 - SHARE_TO_CHANGE) * rows.length;
  const isFull = recent.count === recent.capacity;
  if (entering.length === 0 && !isSparse && !isFull) return batch;

  await admit(sampler, entering);
  const settled = await settleSteps(sampler, recent);
  const kept = keepEnded(sampler, batch, settled);
  const next = [...going.map((i) => rows[i]!), ...entering];
  const sources = [
    ...going.map((row) => rowSource(weights, batch, settled, row)),
    ...entering.map(({ prompt, shared }) => sourceOf(prompt, shared)),
  ];
  const take = (size: number) => memory.take(size, going.length > 0 ? ROOM_TO_GROW * size : size);
  const grown = assembleCache(weights.config, sources, take);
  store.retire({ memory: cache.memory, kept: kept.inCache });
  store.retire({ memory: settled.memory, kept: kept.inSettled });
  const isSame = next.length === rows.length && entering.length === 0;
  return {
    rows: next,
    cache: grown,
    recent: createRecentSteps(sampler, next.length, { steps: stepsLeft(next), isFew: recent.isFew }),
    shared: isSame ? batch.shared : gatherAnew(sampler, batch.shared, next),
  };
}

/** What the rows share, in place of what those before them shared. */
function gatherAnew(
  { weights, memory }: Sampler,
  before: SharedPrefixes | undefined,
  rows: readonly Row[],
): SharedPrefixes | undefined {
  if (before) memory.give(before.memory);
  const shared = rows.map((row) => row.shared);
  return gatherShared(weights.config, shared, memory.take);
}
const stepsLeft = (rows: readonly Row[]) =>
  Math.max(0, ...rows.map(({ limit, tokens }) => limit - tokens.length));

/** A row of the batch, for another cache. */
function rowSource(
  { config }: Weights,
  { cache, recent }: Batch,
  settled: RowEntries,
  row: number,
): RowSource {
  const length = cache.lengths[row]!;
  return {
    start: cache.starts[row]!,
    entries: [
      { ...entriesOf(config, cache, row, cache.capacity - length), length },
      { ...entriesOf(config, settled, row, 0), length: recent.count },
    ],
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

/** One token for every row. Ended rows are computed along and take nothing. */
async function decodeStep(sampler: Sampler, batch: Batch, params: SamplingParams): Promise<void> {
  const { rows } = batch;
  const last = rows.map(({ tokens, request }) => tokens.at(-1) ?? request.prompt.at(-1)!);
  const step = await stepRows(sampler, batch, last, params.temperature);
  for (const i of goingOf(rows)) takeToken(rows[i]!, step, i, params);
}

function takeToken(row: Row, { scores, blocks }: Step, i: number, params: SamplingParams): void {
  const u = uniform(row.request.seed, row.tokens.length);
  const { token, logprob } = chooseToken(scores(i), params, u, blocks(i));
  row.tokens.push(token);
  row.logprobs.push(logprob);
  row.stopped = params.stop.includes(token);
}

/** Keeps what was computed of ended samples (all but the last token), for prompts that go on from them, where it lies. */
function keepEnded(
  { store, weights: { config } }: Sampler,
  { rows, cache }: Batch,
  settled: RowEntries,
): { inCache: KvNode[]; inSettled: KvNode[] } {
  const kept = { inCache: [] as KvNode[], inSettled: [] as KvNode[] };
  rows.forEach((row, i) => {
    if (!hasEnded(row)) return;
    const { prompt } = row.request;
    const computed = Int32Array.from([prompt.at(-1)!, ...row.tokens.slice(0, -1)]);
    const [start, length] = [cache.starts[i]!, cache.lengths[i]!];
    const [before, after] = cutAt(computed, start + length - (prompt.length - 1));
    let parent = row.prompt;
    if (before.length > 0) {
      const first = cache.capacity - length + (prompt.length - 1 - start);
      parent = store.add({ parent, tokens: before, ...entriesOf(config, cache, i, first) });
      kept.inCache.push(parent);
    }
    if (after.length > 0) {
      kept.inSettled.push(store.add({ parent, tokens: after, ...entriesOf(config, settled, i, 0) }));
    }
  });
  return kept;
}

const cutAt = (tokens: Int32Array, place: number) =>
  [tokens.subarray(0, place), tokens.subarray(place)] as const;
