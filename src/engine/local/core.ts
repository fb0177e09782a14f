/**
 * The local engine itself, on whatever thread creates it: weights, optimiser state and compiled graphs behind the
 * contract. Calls must not overlap; the worker in front of it (worker.ts) queues them.
 */
import type { Device } from "../../core/device.ts";
import { MulliganError } from "../../core/errors.ts";
import { type EngineProfile, type GraphTime, longestFirst } from "../../core/profile.ts";
import type { Quantization } from "../../core/quantization.ts";
import { createSession, type Feed, freezeInputs, type Graph, type Session } from "../../graph/index.ts";
import { saveModel } from "../../model/folder.ts";
import { parameterCount } from "../../model/parameters.ts";
import { fuseTensors } from "../../model/tensors.ts";
import type { AdamParams, Engine, EngineInfo, Loss } from "../contract.ts";
import { adamStep, createAdamState, requireFiniteGradient, sumOfSquares } from "./adamw.ts";
import { checkDatums, checkTemperature } from "./input-check.ts";
import { createKvStore } from "./kv-store.ts";
import { createMemoryPool } from "./memory-pool.ts";
import { addTo, runForward, runForwardBackward } from "./passes.ts";
import type { Sampler } from "./prefill.ts";
import { runSample } from "./sampler.ts";
import { extendGraph, prefillGraph, stepGraph } from "./sampling-graph.ts";
import { loadTrainingState, saveTrainingState } from "./state.ts";
import { forwardGraph, type PassShape, trainingGraph } from "./training-graph.ts";
import { type AdapterSource, modelFeeds, trainedOf, type Weights, weightFeeds } from "./weights.ts";

export interface LocalEngineOptions {
  /** Compute threads; 0 = one per core. A run's results to the last bit belong to one number of threads. */
  threads?: number;
  /** Keeps a copy of the starting weights for KL terms. Default true. */
  reference?: boolean;
  /** Compute common prefixes of datums once; off = each datum alone, as an oracle. Default true. */
  sharePrefixes?: boolean;
  /** Distinct tokens of a graph run in training: fewer take less memory and more time. Default runs.ts. */
  maxTokensPerRun?: number;
  /** Compute activations again for the derivative instead of keeping them (decoder.ts). Default false. */
  gradientCheckpointing?: boolean;
  /** Train an adapter, from a PEFT folder or a fresh one, and leave the weights as they are. Default: train them. */
  adapter?: AdapterSource;
  /** Keep the weights' matrices as integers, for sampling and beside an adapter. Default: float32. */
  quantization?: Quantization;
  /** What the graphs run on. Default cpu; the others have never run on hardware (docs/devices.md). */
  device?: Device;
  /** Measure where the time goes, for `profile()`. Default false. */
  profile?: boolean;
}

/**
 * A step of decoding with few products in a model that one core's cache nearly holds is done before a second thread has
 * woken up: before this rule 0.8 M parameters took 0.90 ms for 16 rows with one thread and 1.56 with two; for 32 rows
 * neither was the faster in two runs.
 */
const SMALL_MODEL = 2 ** 21;
const SMALL_STEP = 2 ** 24;

/** Memory that replicas of one model have in common. Each computes with its own copy: the runtime takes no shared memory. */
export interface Share {
  /** Which replica this is. */
  index: number;
  /** What learns, after the last step; each replica takes its slice. */
  weights: Float32Array;
  adam: { m: Float32Array; v: Float32Array; steps: Int32Array };
  /** One per replica. */
  gradients: readonly Float32Array[];
}

/** An optimiser's step by replicas: all sum up gradients, then all step, then all settle. */
export interface Core extends Engine {
  /** Of graphs with packed weights only what ran since these changed. */
  profile(): Promise<EngineProfile | undefined>;
  /** Threads of what is computed from now on. */
  useThreads(threads: number): void;
  /** Sums everyone's gradient on this replica's slice, and returns the sum of its squares. */
  sumGradients(): Promise<number>;
  /** AdamW on this replica's slice. */
  stepSlice(params: AdamParams, gradNorm: number): Promise<void>;
  /** Drops the keys and values that sampling keeps. */
  forget(): Promise<void>;
  /** Takes the weights that others have left, and forgets what was computed with the old ones. */
  settle(): Promise<void>;
}

/** Packing copies the weights. Arbitrary: the largest model measured has 5 M parameters (docs/benchmarks.md). */
const PACKED_MODEL = 2 ** 24;

/**
 * Graphs of a larger model do not all keep the memory that a run has needed: kept by every graph, it came to several times
 * the weights. Those of sampling give it back after each run; of those of training, which need most, one is there at a time:
 * given back piece by piece their memory falls apart and is held all the same (docs/decisions/0015-memory-plan.md).
 */
export const LARGE_MODEL = 2 ** 24;

export function createCore(
  weights: Weights,
  threads: number,
  options: LocalEngineOptions = {},
  share?: Share,
): Core {
  const { config } = weights;
  const parameters = parameterCount(config);
  const trained = trainedOf(weights);
  const tensors = fuseTensors(trained.parameters);
  const feeds = { ...modelFeeds(weights), ...weightFeeds(tensors, trained.flat) };
  const referenceFeeds =
    options.reference === false
      ? undefined
      : { ...feeds, ...weightFeeds(tensors, Float32Array.from(trained.flat)) };
  const size = trained.flat.length;
  const adam = share ? { step: 0, ...share.adam } : createAdamState(size);
  const gradients = share?.gradients ?? [new Float32Array(size)];
  const gradient = gradients[share?.index ?? 0]!;
  const slice = sliceOf(size, share);
  const ranges = trained.parameters.flatMap(({ offset, size, decay }) => {
    const [start, end] = [Math.max(offset, slice.start), Math.min(offset + size, slice.end)];
    return start < end ? [{ start, end, decay }] : [];
  });

  const { device = "cpu", profile = false } = options;
  let current = threads;
  /** Kept until close; and graphs with the weights in them, kept until these change. */
  const [sessions, packed]: [Sessions, Sessions] = [new Map(), new Map()];
  /** A large model's graph of training, kept until another or the end of the call. */
  const passing: Sessions = new Map();
  const isLarge = parameters > LARGE_MODEL;
  /** Compiled on first use. */
  const session = (graph: string, build: () => Graph, workers = current, among = sessions) => {
    const key = `${graph}, ${workers} ${workers === 1 ? "thread" : "threads"}`;
    let compiled = among.get(key);
    if (!compiled) {
      const memory = !isLarge ? "kept" : among === passing ? "pooled" : "returned";
      compiled = createSession(build(), { threads: workers, device, profile, memory });
      among.set(key, compiled);
    }
    return compiled;
  };

  const info: EngineInfo = {
    name: "local",
    vocabSize: config.vocabSize,
    contextLength: config.contextLength,
    parameters,
    threads,
    capabilities: { temperature: true, kl: ["k1", "k2", "k3"] },
  };

  const shapeKey = ({ levels, chunks }: PassShape) => `${levels} levels, ${chunks} chunks`;
  const passes = (kind: string, build: (shape: PassShape) => Graph, weightFeeds: Record<string, Feed>) => ({
    weights,
    feeds: weightFeeds,
    session: async (shape: PassShape) => {
      const key = `${kind} ${shapeKey(shape)}`;
      // what is released can tell nothing any more
      if (!isLarge || profile) return session(key, () => build(shape));
      if ([...passing.keys()].some((other) => !other.startsWith(`${key},`))) await releaseAll(passing);
      return session(key, () => build(shape), current, passing);
    },
    sharePrefixes: options.sharePrefixes ?? true,
    maxTokensPerRun: options.maxTokensPerRun,
    gradientCheckpointing: options.gradientCheckpointing,
  });
  const memory = createMemoryPool();
  const sampler: Sampler = {
    weights,
    feeds,
    store: createKvStore(config, memory),
    memory,
    prefill: (levels) => session(`prefill ${levels} levels`, () => prefillGraph(config, levels)),
    extend: ({ shared }) => session(`extend, shared ${shared}`, () => extendGraph(config, { shared })),
    step: ({ shared, rows, isFew }) => {
      const isSmall = parameters <= SMALL_MODEL && rows * parameters <= SMALL_STEP;
      const workers = isSmall ? 1 : current;
      const build = () => stepGraph(config, { shared });
      if (!isFew || parameters > PACKED_MODEL) return session(`step, shared ${shared}`, build, workers);
      const name = `step with packed weights, shared ${shared}`;
      return session(name, () => freezeInputs(build(), feeds), workers, packed);
    },
    computed: { prefillTokens: 0, decodedTokens: 0 },
  };

  /** Leaves a part of the weights for the other replicas. */
  const publish = ({ start, end }: Slice) => {
    if (!share) return;
    share.weights.set(trained.flat.subarray(start, end), start);
    share.adam.steps[0] = adam.step;
  };
  const sumGradients = async () => {
    const sum = gradients[0]!.subarray(slice.start, slice.end);
    for (const other of gradients.slice(1)) addTo(sum, other.subarray(slice.start, slice.end));
    return sumOfSquares(sum);
  };
  const stepSlice = async (params: AdamParams, gradNorm: number) => {
    adamStep(trained.flat, gradients[0]!, adam, ranges, params, gradNorm);
    publish(slice);
  };
  const forget = async () => {
    sampler.store.clear();
    memory.trim();
  };
  const settle = async () => {
    if (share) {
      trained.flat.set(share.weights);
      adam.step = share.adam.steps[0]!;
    }
    await releaseAll(packed);
    gradient.fill(0);
    await forget();
  };

  return {
    info,
    sample: (requests, params) => runSample(sampler, requests, params),
    forget,
    async forward(data, { temperature = 1, weights: which = "current" } = {}) {
      checkTemperature(temperature);
      checkDatums(info, data);
      const chosen = which === "current" ? feeds : referenceFeeds;
      if (!chosen) {
        throw new MulliganError(
          "engine",
          "forward: reference weights were not kept, got weights: reference",
          {
            hint: "create the engine with reference: true",
          },
        );
      }
      const engine = passes("forward", (shape) => forwardGraph(config, shape), chosen);
      return (await runForward(engine, data, temperature).finally(() => releaseAll(passing))).logprobs;
    },
    async forwardBackward(data, loss) {
      checkDatums(info, data, loss);
      if (size === 0) throw nothingLearns();
      const engine = passes(lossKey(loss), (shape) => trainingGraph(config, shape, loss), feeds);
      const pass = runForwardBackward(engine, tensors, data, loss, gradient);
      const { logprobs, metrics } = await pass.finally(() => releaseAll(passing));
      return { logprobs, metrics };
    },
    async optimStep(params) {
      const gradNorm = Math.sqrt(await sumGradients());
      if (Number.isFinite(gradNorm)) await stepSlice(params, gradNorm);
      await settle();
      requireFiniteGradient(gradNorm);
      return { gradNorm };
    },
    sumGradients,
    stepSlice,
    settle,
    saveState: (folder) => saveTrainingState(folder, weights, adam),
    async loadState(folder) {
      await loadTrainingState(folder, weights, adam);
      publish({ start: 0, end: size });
      await settle();
    },
    saveWeights: (folder) => saveModel(folder, weights),
    useThreads(count) {
      current = count;
    },
    async profile() {
      if (!profile) return undefined;
      const profiles: GraphTime[] = [];
      for (const [graph, compiled] of [...sessions, ...packed]) {
        const time = await (await compiled).profile();
        if (time) profiles.push({ graph, ...time });
      }
      return longestFirst(profiles);
    },
    async close() {
      await releaseAll(sessions);
      await releaseAll(packed);
    },
  };
}

function nothingLearns(): MulliganError {
  return new MulliganError("engine", "forwardBackward: needs weights that learn, got quantised ones", {
    hint: "integers have no gradient to follow: train an adapter beside them",
  });
}

type Sessions = Map<string, Promise<Session>>;

async function releaseAll(sessions: Sessions): Promise<void> {
  for (const compiled of sessions.values()) await (await compiled).release();
  sessions.clear();
}

/** A part of the parameters. */
interface Slice {
  start: number;
  end: number;
}

/** What a replica steps. */
function sliceOf(size: number, share: Share | undefined): Slice {
  const [index, count] = [share?.index ?? 0, share?.gradients.length ?? 1];
  return { start: Math.floor((size * index) / count), end: Math.floor((size * (index + 1)) / count) };
}

const lossKey = (loss: Loss) => `train ${loss.name} ${loss.kl ?? "no KL"}`;
