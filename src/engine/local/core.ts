/**
 * The local engine itself, on whatever thread creates it: weights, optimiser state and compiled graphs behind the
 * contract. Calls must not overlap; the worker in front of it (worker.ts) queues them.
 */
import type { Device } from "../../core/device.ts";
import { MulliganError } from "../../core/errors.ts";
import type { EngineProfile } from "../../core/profile.ts";
import type { Quantization } from "../../core/quantization.ts";
import { type Feed, freezeInputs, type Graph } from "../../graph/index.ts";
import { saveModel } from "../../model/folder.ts";
import { parameterCount } from "../../model/parameters.ts";
import { fuseTensors } from "../../model/tensors.ts";
import type { AdamParams, Engine, EngineInfo, Loss } from "../contract.ts";
import { createGraphs, type Graphs, LARGE_MODEL } from "./graphs.ts";
import { checkDatums, checkTemperature } from "./input-check.ts";
import { createKvStore } from "./sampling/kv-store.ts";
import { createMemoryPool } from "./sampling/memory-pool.ts";
import type { Sampler } from "./sampling/prefill.ts";
import { runSample } from "./sampling/sampler.ts";
import { extendGraph, prefillGraph, settleGraph, stepGraph } from "./sampling/sampling-graph.ts";
import { nonFiniteGradient } from "./training/adamw.ts";
import { createOptimizer, type Share } from "./training/optimizer.ts";
import { runForward, runForwardBackward } from "./training/passes.ts";
import { loadTrainingState, saveTrainingState } from "./training/state.ts";
import { forwardGraph, type PassShape, trainingGraph } from "./training/training-graph.ts";
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
 * A step of decoding with few products in a model that one core's cache nearly holds is done before a second thread helps:
 * of 0.8 M parameters one row takes 0.83 times as long with one thread as with two, six rows 1.06 times, twelve 1.13
 * (docs/decisions/0025).
 */
const SMALL_MODEL = 2 ** 21;
const SMALL_STEP = 2 ** 22;

/** An optimiser's step by replicas: all sum up gradients, then all step, then all settle. */
export interface Core extends Engine {
  /** Of graphs with packed weights only what ran since these changed. */
  profile(): Promise<EngineProfile | undefined>;
  /** Threads of what is computed from now on. */
  useThreads(threads: number): void;
  /** Sums everyone's gradient on this replica's slice, and returns the sum of its squares. */
  sumGradients(): Promise<number>;
  /** The first parameter whose summed gradient holds NaN or infinity. */
  nonFiniteParameter(): Promise<string | undefined>;
  /** AdamW on this replica's slice. */
  stepSlice(params: AdamParams, gradNorm: number): Promise<void>;
  /** Drops the keys and values that sampling keeps. */
  forget(): Promise<void>;
  /** Takes the weights that others have left, and forgets what was computed with the old ones. */
  settle(): Promise<void>;
}

/** Packing copies the weights. Arbitrary: the largest model measured has 5 M parameters (docs/benchmarks.md). */
const PACKED_MODEL = 2 ** 24;

export function createCore(
  weights: Weights,
  threads: number,
  options: LocalEngineOptions = {},
  share?: Share,
): Core {
  const { device = "cpu", profile = false } = options;
  const { config } = weights;
  const parameters = parameterCount(config);
  const trained = trainedOf(weights);
  const tensors = fuseTensors(trained.parameters);
  const feeds = { ...modelFeeds(weights), ...weightFeeds(tensors, trained.flat) };
  const referenceFeeds =
    options.reference === false
      ? undefined
      : { ...feeds, ...weightFeeds(tensors, Float32Array.from(trained.flat)) };
  const info: EngineInfo = {
    name: "local",
    vocabSize: config.vocabSize,
    contextLength: config.contextLength,
    parameters,
    threads,
    capabilities: { temperature: true, kl: ["k1", "k2", "k3"] },
  };
  let current = threads;
  const graphs = createGraphs({ device, profile, isLarge: parameters > LARGE_MODEL });
  const optimizer = createOptimizer(trained, share);
  const sampler = createSampler(weights, feeds, graphs, () => current);
  const passes = (kind: string, build: (shape: PassShape) => Graph, weightFeeds: Record<string, Feed>) => ({
    weights,
    feeds: weightFeeds,
    session: (shape: PassShape) =>
      graphs.passing(`${kind} ${shape.levels} levels, ${shape.chunks} chunks`, current, () => build(shape)),
    sharePrefixes: options.sharePrefixes ?? true,
    maxTokensPerRun: options.maxTokensPerRun,
    gradientCheckpointing: options.gradientCheckpointing,
  });
  const forget = async () => {
    sampler.store.clear();
    sampler.memory.trim();
  };
  const settle = async () => {
    optimizer.settle();
    await graphs.dropPacked();
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
      if (!chosen) throw noReference();
      const engine = passes("forward", (shape) => forwardGraph(config, shape), chosen);
      return (await runForward(engine, data, temperature).finally(graphs.dropPassing)).logprobs;
    },
    async forwardBackward(data, loss) {
      checkDatums(info, data, loss);
      if (trained.flat.length === 0) throw nothingLearns();
      const engine = passes(lossKey(loss), (shape) => trainingGraph(config, shape, loss), feeds);
      const pass = runForwardBackward(engine, tensors, data, loss, optimizer.gradient);
      const { logprobs, metrics } = await pass.finally(graphs.dropPassing);
      return { logprobs, metrics };
    },
    async optimStep(params) {
      const gradNorm = Math.sqrt(optimizer.sumGradients());
      if (!Number.isFinite(gradNorm)) {
        const where = optimizer.nonFiniteParameter();
        await settle();
        throw nonFiniteGradient(gradNorm, where);
      }
      optimizer.stepSlice(params, gradNorm);
      await settle();
      return { gradNorm };
    },
    async zeroGrad() {
      optimizer.gradient.fill(0);
    },
    sumGradients: async () => optimizer.sumGradients(),
    nonFiniteParameter: async () => optimizer.nonFiniteParameter(),
    stepSlice: async (params, gradNorm) => optimizer.stepSlice(params, gradNorm),
    settle,
    saveState: (folder) => saveTrainingState(folder, weights, optimizer.adam),
    async loadState(folder) {
      await loadTrainingState(folder, weights, optimizer.adam);
      optimizer.publish();
      await settle();
    },
    saveWeights: (folder) => saveModel(folder, weights),
    useThreads(count) {
      current = count;
    },
    profile: async () => (profile ? graphs.profile() : undefined),
    close: graphs.release,
  };
}

/** The sampler's graphs, with as many threads as a step is worth. */
function createSampler(
  weights: Weights,
  feeds: Record<string, Feed>,
  graphs: Graphs,
  threads: () => number,
): Sampler {
  const { config } = weights;
  const parameters = parameterCount(config);
  const memory = createMemoryPool();
  return {
    weights,
    feeds,
    store: createKvStore(config, memory),
    memory,
    prefill: (levels) =>
      graphs.kept(`prefill ${levels} levels`, threads(), () => prefillGraph(config, levels)),
    extend: ({ shared }) =>
      graphs.kept(`extend, shared ${shared}`, threads(), () => extendGraph(config, { shared })),
    settle: ({ isFew }) =>
      graphs.kept(`settle, few ${isFew}`, threads(), () => settleGraph(config, { isFew })),
    step: ({ shared, past, rows, isFew }) => {
      const isSmall = parameters <= SMALL_MODEL && rows * parameters <= SMALL_STEP;
      const workers = isSmall ? 1 : threads();
      const build = () => stepGraph(config, { shared, past, isFew });
      const kind = `shared ${shared}, past ${past}, few ${isFew}`;
      if (!isFew || parameters > PACKED_MODEL) return graphs.kept(`step, ${kind}`, workers, build);
      return graphs.packed(`step with packed weights, ${kind}`, workers, () => freezeInputs(build(), feeds));
    },
    computed: { prefillTokens: 0, decodedTokens: 0 },
  };
}

function noReference(): MulliganError {
  return new MulliganError("engine", "forward: reference weights were not kept, got weights: reference", {
    hint: "create the engine with reference: true",
  });
}

function nothingLearns(): MulliganError {
  return new MulliganError("engine", "forwardBackward: needs weights that learn, got quantised ones", {
    hint: "integers have no gradient to follow: train an adapter beside them",
  });
}

const lossKey = (loss: Loss) => `train ${loss.name} ${loss.kl ?? "no KL"}`;
