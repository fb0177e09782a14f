/**
 * Gradients for tests: by the engine's own passes, by the same graphs in float64, and by a plain oracle that computes
 * every datum alone, token by token of a full square, in float64.
 */
import type { Datum } from "../../../core/datum.ts";
import {
  add,
  attention,
  createGraph,
  createSession,
  type Feed,
  type Graph,
  gradients,
  mul,
  reshape,
  type Session,
  split,
  tokenLogprob,
  transpose,
  type Value,
} from "../../../graph/index.ts";
import { decoderHidden, decoderInputs, headsPerToken, headWeight } from "../../../model/decoder.ts";
import { product } from "../../../model/matrix.ts";
import { cachedRopeTables } from "../../../model/rope-tables.ts";
import { fuseTensors } from "../../../model/tensors.ts";
import { maskName, maskWindows } from "../../../model/window.ts";
import type { Loss } from "../../contract.ts";
import { causalMask } from "../prefixes/masks.ts";
import { int64, modelFeeds, trainedOf, type Weights, weightFeeds } from "../weights.ts";
import {
  lossFeeds,
  type PassEngine,
  planPass,
  rotationFeeds,
  runForward,
  runForwardBackward,
} from "./passes.ts";
import { forwardGraph, klLoss, policyLoss, trainingGraph } from "./training-graph.ts";

const sessions = new Map<string, Promise<Session>>();

function sessionOf(key: string, build: () => Graph): Promise<Session> {
  let session = sessions.get(key);
  if (!session) {
    session = createSession(build(), { threads: 1 });
    sessions.set(key, session);
  }
  return session;
}

/** Call after all tests. */
export async function releaseSessions(): Promise<void> {
  for (const session of sessions.values()) await (await session).release();
  sessions.clear();
}

const nameOf = (weights: Weights, loss?: Loss) =>
  `${JSON.stringify(weights.config)} ${loss?.name} ${loss?.kl}`;

function passEngine(weights: Weights, loss?: Loss): PassEngine {
  const { config } = weights;
  const trained = trainedOf(weights);
  return {
    weights,
    feeds: { ...modelFeeds(weights), ...weightFeeds(fuseTensors(trained.parameters), trained.flat) },
    session: (shape) =>
      sessionOf(`${nameOf(weights, loss)} ${JSON.stringify(shape)}`, () =>
        loss ? trainingGraph(config, shape, loss) : forwardGraph(config, shape),
      ),
  };
}

export function forwardOf(weights: Weights, data: readonly Datum[], temperature = 1) {
  return runForward(passEngine(weights), data, temperature);
}

/**
 * Tokens with numbers for every loss: ratios on and off policy, inside and outside the clip range, never at one of its
 * kinks. Position 0 and what lies before `from` weighs nothing.
 */
export async function datumOf(weights: Weights, ids: Int32Array, from = 0): Promise<Required<Datum>> {
  const [tokens, targets] = [ids.slice(0, -1), ids.slice(1)];
  const { logprobs } = await forwardOf(weights, [{ tokens, targets }]);
  const perToken = (of: (t: number) => number) =>
    Float32Array.from({ length: tokens.length }, (_, t) => (t < from ? 0 : of(t)));
  const shifts = [0, 0.05, 0.4, -0.1, -0.4];
  return {
    tokens,
    targets,
    weights: perToken((t) => [0, 1, -0.5][t % 3]!),
    logprobs: perToken((t) => logprobs[0]![t]! - shifts[t % 5]!),
    advantages: perToken((t) => [0, 0.7, -0.3, 1.1][t % 4]!),
    referenceLogprobs: perToken((t) => logprobs[0]![t]! + [0.3, -0.2][t % 2]!),
    klWeights: perToken((t) => [0, 0.1, 0.1, 0.1][t % 4]!),
  };
}

export interface Pass {
  loss: number;
  gradient: Float32Array | Float64Array;
  /** One [T] per datum. */
  logprobs: ArrayLike<number>[];
  computedTokens: number;
}

/** As the engine does it, in float32. */
export async function passOf(
  weights: Weights,
  data: readonly Datum[],
  loss: Loss,
  options: { into?: Float32Array } & Partial<PassEngine> = {},
): Promise<Pass & { gradient: Float32Array; chunks: number }> {
  const { into, ...planning } = options;
  const gradient = into ?? new Float32Array(trainedOf(weights).flat.length);
  let chunks = 0;
  const plain = passEngine(weights, loss);
  const engine: PassEngine = {
    ...plain,
    ...planning,
    session: (shape) => {
      chunks = Math.max(chunks, shape.chunks);
      return plain.session(shape);
    },
  };
  const tensors = fuseTensors(trainedOf(weights).parameters);
  const { metrics, logprobs, computedTokens } = await runForwardBackward(
    engine,
    tensors,
    data,
    loss,
    gradient,
  );
  return { loss: metrics["loss:sum"]!, gradient, logprobs, computedTokens, chunks };
}

/** The engine's graphs in float64, as a function of the parameters. */
export async function float64Pass(weights: Weights, data: readonly Datum[], loss: Loss) {
  const { config } = weights;
  const runs = [...planPass({ weights }, data, { temperature: loss.temperature, back: true })];
  return async (flat: Float64Array): Promise<Pass & { gradient: Float64Array }> => {
    const pass = emptyPass(flat, data);
    for (const { shape, entries, tokens, feeds } of runs) {
      const session = await sessionOf(`${nameOf(weights, loss)} ${JSON.stringify(shape)} float64`, () =>
        trainingGraph(config, shape, loss, "float64"),
      );
      const result = await session.run(
        float64Feeds({ ...feeds, ...lossFeeds(data, entries, loss) }, weights, flat),
      );
      entries.scatter(result.logprobs!.data as Float64Array, pass.logprobs);
      collect(pass, result, weights);
      pass.computedTokens += tokens;
    }
    return pass;
  };
}

/** Every datum alone in float64, with one square of scores per head and every position scored: the oracle. */
export async function plainPass(weights: Weights, data: readonly Datum[], loss: Loss): Promise<Pass> {
  const { config } = weights;
  const flat = Float64Array.from(weights.flat);
  const pass = emptyPass(flat, data);
  const session = await sessionOf(`${nameOf(weights, loss)} plain`, () => plainGraph(weights, loss));
  for (const [d, datum] of data.entries()) {
    const length = datum.tokens.length;
    const numbers = (values: ArrayLike<number> | undefined): Feed => ({
      data: Float32Array.from(values ?? new Float32Array(length)),
      dims: [length],
    });
    const scalar = (value: number): Feed => ({ data: Float32Array.of(value), dims: [] });
    const positions = Int32Array.from(datum.tokens.keys());
    const feeds = {
      tokens: { data: int64(datum.tokens), dims: [length] },
      rows: { data: int64(positions), dims: [length] },
      targets: { data: int64(datum.targets), dims: [length] },
      ...plainRotation(config, positions),
      ...plainMasks(config, length),
      inverse_temperature: scalar(1 / (loss.temperature ?? 1)),
      weights: numbers(datum.weights),
      sampled_logprobs: numbers(datum.logprobs),
      advantages: numbers(datum.advantages),
      clip_low: scalar(loss.clipLow ?? 0.8),
      clip_high: scalar(loss.clipHigh ?? 1.2),
      kl_weights: numbers(datum.klWeights),
      kl_mask: numbers(datum.klWeights?.map((weight) => (weight === 0 ? 0 : 1))),
      reference_logprobs: numbers(datum.referenceLogprobs),
    };
    const result = await session.run(float64Feeds(feeds, weights, flat));
    pass.logprobs[d] = result.logprobs!.data as Float64Array;
    collect(pass, result, weights);
    pass.computedTokens += length;
  }
  return pass;
}

/** Queries turn like keys here: the oracle's attention divides by √D itself. */
function plainRotation(config: Weights["config"], positions: Int32Array): Record<string, Feed> {
  const feeds = rotationFeeds(config, positions, positions.length);
  const { unturned } = cachedRopeTables(config, positions.length);
  const perToken = headsPerToken(config);
  const asKeys = (feed: Feed, row: (position: number) => number): Feed => {
    const rows = (feed.data as BigInt64Array).slice();
    positions.forEach((position, t) => {
      rows.fill(BigInt(row(position)), t * perToken, t * perToken + config.heads);
    });
    return { ...feed, data: rows };
  };
  const { positions: turned, unrotated_positions: unrotated } = feeds;
  return {
    ...feeds,
    positions: asKeys(turned!, (position) => position),
    ...(unrotated && { unrotated_positions: asKeys(unrotated, () => unturned.key) }),
  };
}

function plainMasks(config: Weights["config"], length: number): Record<string, Feed> {
  const masks = maskWindows(config).map(([name, window]) => [
    name,
    { data: causalMask(length, window), dims: [length, length] },
  ]);
  return Object.fromEntries(masks);
}

function plainGraph({ config }: Weights, loss: Loss): Graph {
  const graph = createGraph("float64");
  const inputs = decoderInputs(graph, config);
  const masks = new Map(
    maskWindows(config).map(([name]) => [name, graph.input(name, "float64", ["N", "N"])]),
  );
  const { heads, kvHeads, headSize } = config;
  const hidden = decoderHidden(graph, config, inputs, (layer, table) => {
    const mask = masks.get(maskName(config, layer))!;
    const apart = reshape(graph, table, [1, "N", heads + 2 * kvHeads, headSize]);
    const [q, k, v] = split(graph, apart, 2, [heads, kvHeads, kvHeads]).map((x) =>
      transpose(graph, x, [0, 2, 1, 3]),
    ) as [Value, Value, Value];
    const mixed = transpose(graph, attention(graph, q, k, v, mask), [0, 2, 1, 3]);
    return reshape(graph, mixed, ["N", heads * headSize]);
  })!;
  const scaled = mul(graph, hidden, graph.input("inverse_temperature", "float64", []));
  const ids = (name: string) => graph.input(name, "int64", ["N"]);
  const logits = product(graph, scaled, headWeight(config, inputs));
  const logprobs = tokenLogprob(graph, logits, ids("rows"), ids("targets"));
  graph.output("logprobs", logprobs);
  let total = policyLoss(graph, loss.name, logprobs);
  if (loss.kl) total = add(graph, total, klLoss(graph, loss.kl, logprobs));
  graph.output("loss", total);
  const names = [...inputs.tensors.keys()];
  gradients(graph, total, [...inputs.tensors.values()]).forEach(
    (d, i) => void graph.output(`d:${names[i]}`, d),
  );
  return graph;
}

function emptyPass(
  flat: Float64Array,
  data: readonly Datum[],
): Pass & { gradient: Float64Array; logprobs: Float64Array[] } {
  return {
    loss: 0,
    gradient: new Float64Array(flat.length),
    logprobs: data.map(({ tokens }) => new Float64Array(tokens.length).fill(Number.NaN)),
    computedTokens: 0,
  };
}

function collect(
  pass: Pass,
  result: Record<string, { data: ArrayLike<number | bigint> }>,
  { parameters }: Weights,
) {
  pass.loss += Number(result.loss!.data[0]);
  for (const { name, offset, size } of fuseTensors(parameters)) {
    const d = result[`d:${name}`]!.data;
    for (let i = 0; i < size; i++) pass.gradient[offset + i]! += Number(d[i]);
  }
}

function float64Feeds(
  feeds: Record<string, Feed>,
  { parameters }: Weights,
  flat: Float64Array,
): Record<string, Feed> {
  const widened = Object.entries(feeds).map(([name, { data, dims }]) => [
    name,
    { data: data instanceof Float32Array ? Float64Array.from(data) : data, dims },
  ]);
  const weights = fuseTensors(parameters).map(({ name, shape, offset, size }) => [
    name,
    { data: flat.subarray(offset, offset + size), dims: shape },
  ]);
  return Object.fromEntries([...widened, ...weights]);
}

/** ‖a − b‖ / ‖b‖ of each parameter, the largest. */
export function largestDistance({ parameters }: Weights, a: ArrayLike<number>, b: ArrayLike<number>): number {
  const distances = parameters.map(({ offset, size }) => {
    let [difference, norm] = [0, 0];
    for (let i = offset; i < offset + size; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      norm += b[i]! ** 2;
    }
    return norm === 0 && difference === 0 ? 0 : Math.sqrt(difference / norm);
  });
  return Math.max(...distances);
}
