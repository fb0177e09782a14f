/**
 * forward and forwardBackward of the local engine: packs datums into prefix trees, runs the graph, adds gradients to one
 * flat buffer. Only tokens up to the last scored one are computed, and only scored ones meet the head.
 */
import type { Datum } from "../../../core/datum.ts";
import type { Feed, Session } from "../../../graph/index.ts";
import { headsPerToken } from "../../../model/decoder.ts";
import { cachedRopeTables } from "../../../model/rope-tables.ts";
import type { Tensor } from "../../../model/tensors.ts";
import type { ForwardBackwardResult, Loss } from "../../contract.ts";
import { treeRuns } from "../prefixes/runs.ts";
import { layoutFeeds } from "../prefixes/tree-layout.ts";
import { int64, type Weights } from "../weights.ts";
import { type Entries, placeEntries, scoredPositions } from "./entries.ts";
import type { PassShape } from "./training-graph.ts";

type Input = Pick<Datum, "tokens" | "targets"> & Partial<Datum>;

/** What a pass computes with: the model, its weights as feeds, and a compiled graph for each shape. */
export interface PassEngine {
  weights: Weights;
  feeds: Record<string, Feed>;
  session(shape: PassShape): Promise<Session>;
  /** Share common prefixes; off = every datum alone. Default true. */
  sharePrefixes?: boolean;
  /** Distinct tokens of a graph run; default runs.ts. */
  maxTokensPerRun?: number | undefined;
  /** Compute activations again for the derivative (training-graph.ts). Default false. */
  gradientCheckpointing?: boolean | undefined;
  /** Bytes of scores that may exist at once; default entries.ts. */
  scoreBytes?: number;
}

/** ln p of every scored target (entries.ts), NaN elsewhere. // one [T] per datum */
export async function runForward(
  engine: PassEngine,
  data: readonly Input[],
  temperature: number,
): Promise<{ logprobs: Float32Array[]; computedTokens: number }> {
  const logprobs = unscored(data);
  let computedTokens = 0;
  for (const { shape, entries, tokens, feeds } of planPass(engine, data, { temperature, back: false })) {
    const scores = emptyScores(entries);
    await (await engine.session(shape)).run([feeds, engine.feeds], { logprobs: scores });
    entries.scatter(scores.data, logprobs);
    computedTokens += tokens;
  }
  return { logprobs, computedTokens };
}

/** Adds the gradient of the summed loss to `gradient`, laid out as the parameters. */
export async function runForwardBackward(
  engine: PassEngine,
  tensors: readonly Tensor[],
  data: readonly Datum[],
  loss: Loss,
  gradient: Float32Array,
): Promise<ForwardBackwardResult & { computedTokens: number }> {
  const logprobs = unscored(data);
  let [total, computedTokens] = [0, 0];
  const options = { temperature: loss.temperature, back: true };
  const sum = { data: new Float32Array(1), dims: [] };
  /** Of one run, used again by the next. */
  const derivatives = Object.fromEntries(
    tensors.map(({ name, shape, size }) => [`d:${name}`, { data: new Float32Array(size), dims: shape }]),
  );
  for (const { shape, entries, tokens, feeds } of planPass(engine, data, options)) {
    const session = await engine.session(shape);
    const scores = emptyScores(entries);
    await session.run([feeds, lossFeeds(data, entries, loss), engine.feeds], {
      ...derivatives,
      loss: sum,
      logprobs: scores,
    });
    total += sum.data[0]!;
    entries.scatter(scores.data, logprobs);
    for (const { name, offset, size } of tensors) {
      addTo(gradient.subarray(offset, offset + size), derivatives[`d:${name}`]!.data);
    }
    computedTokens += tokens;
  }
  return { logprobs, metrics: { "loss:sum": total }, computedTokens };
}

/** Room for a run's log-probabilities. */
function emptyScores(entries: Entries) {
  const data = entries.gather(() => undefined);
  return { data, dims: [data.length] };
}

/** sum += x. A function of its own: within the loop above, which sees every type of feed, it was ten times slower. */
export function addTo(sum: Float32Array, x: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += x[i]!;
}

function unscored(data: readonly Input[]): Float32Array[] {
  return data.map(({ tokens }) => new Float32Array(tokens.length).fill(Number.NaN));
}

/** One graph run. */
export interface PlannedRun {
  shape: PassShape;
  entries: Entries;
  /** Distinct tokens. */
  tokens: number;
  /** All but the weights and the loss's numbers. */
  feeds: Record<string, Feed>;
}

/** The runs of a pass. Tokens after a datum's last scored one are left out, and datums without any. */
export function* planPass(
  engine: Omit<PassEngine, "weights" | "feeds" | "session"> & { weights: Pick<Weights, "config"> },
  data: readonly Input[],
  { temperature = 1, back }: { temperature?: number | undefined; back: boolean },
): Generator<PlannedRun> {
  const { sharePrefixes = true, maxTokensPerRun, scoreBytes, gradientCheckpointing } = engine;
  const { config } = engine.weights;
  const scored = data.map(scoredPositions);
  const needed = data.map(({ tokens }, i) => tokens.subarray(0, 1 + (scored[i]!.at(-1) ?? -1)));
  for (const { indices, tree, slots } of treeRuns(needed, { sharePrefixes, maxTokensPerRun })) {
    const entries = placeEntries(data, indices, scored, tree, { vocabSize: config.vocabSize, scoreBytes });
    const tokens = new Int32Array(slots.tokens);
    tokens.set(tree.tokens);
    const inverse = { data: Float32Array.of(1 / temperature), dims: [] };
    const feeds = {
      tokens: { data: int64(tokens), dims: [tokens.length] },
      ...rotationFeeds(config, tree.positions, tokens.length),
      ...layoutFeeds(slots, config, { back }),
      ...entries.feeds(tokens.length),
      inverse_temperature: inverse,
      inverse_temperature_again: inverse,
    };
    const shape = {
      levels: slots.levels.length,
      chunks: entries.chunks,
      ...(back && gradientCheckpointing && { gradientCheckpointing }),
    };
    yield { shape, entries, tokens: tree.tokens.length, feeds };
  }
}

/** Query and key heads turn by their token's position, in rows of their own (rope-tables.ts); value heads not at all. */
export function rotationFeeds(
  config: Weights["config"],
  positions: ArrayLike<number>,
  count: number,
): Record<string, Feed> {
  let longest = 0;
  for (let t = 0; t < positions.length; t++) longest = Math.max(longest, positions[t]!);
  const tables = cachedRopeTables(config, longest + 1);
  const perToken = headsPerToken(config);
  /** Table rows of all heads, given those of a token's query and key heads. */
  const rowsOf = (query: (t: number) => number, key: (t: number) => number): Feed => {
    const rows = new Int32Array(count * perToken).fill(tables.unturned.key);
    for (let t = 0; t < count; t++) {
      const first = t * perToken;
      rows.fill(query(t), first, first + config.heads);
      rows.fill(key(t), first + config.heads, first + config.heads + config.kvHeads);
    }
    return { data: int64(rows), dims: [rows.length, 1] };
  };
  const key = (t: number) => positions[t] ?? 0;
  const { unturned } = tables;
  return {
    positions: rowsOf((t) => tables.positions + key(t), key),
    ...(config.unrotatedLayers.length > 0 && {
      unrotated_positions: rowsOf(
        () => unturned.query,
        () => unturned.key,
      ),
    }),
    rope_cos: { data: tables.cos, dims: tables.dims },
    rope_sin: { data: tables.sin, dims: tables.dims },
  };
}

export function lossFeeds(data: readonly Datum[], entries: Entries, loss: Loss): Record<string, Feed> {
  const feed = (of: (datum: Datum) => Float32Array | undefined): Feed => {
    const numbers = entries.gather((i) => of(data[i]!));
    return { data: numbers, dims: [numbers.length] };
  };
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
