/**
 * The local engine itself, on whatever thread creates it: weights, optimiser state and compiled graphs behind the
 * contract. Calls must not overlap; the worker in front of it (worker.ts) queues them.
 */
import type { Device } from "../../core/device.ts";
import { MulliganError } from "../../core/errors.ts";
import type { EngineProfile, GraphTime } from "../../core/profile.ts";
import { createSession, type Feed, type Graph, type Session } from "../../graph/index.ts";
import { saveModel } from "../../model/folder.ts";
import { fuseTensors } from "../../model/tensors.ts";
import type { Engine, EngineInfo, Loss } from "../contract.ts";
import { adamStep, createAdamState } from "./adamw.ts";
import { checkDatums, checkTemperature } from "./datum-check.ts";
import { createKvStore } from "./kv-store.ts";
import { createMemoryPool } from "./memory-pool.ts";
import { addTo, runForward, runForwardBackward } from "./passes.ts";
import type { Sampler } from "./prefill.ts";
import { runSample } from "./sampler.ts";
import { extendGraph, prefillGraph, stepGraph } from "./sampling-graph.ts";
import { loadTrainingState, saveTrainingState } from "./state.ts";
import { forwardGraph, type PassShape, trainingGraph } from "./training-graph.ts";
import { type Weights, weightFeeds } from "./weights.ts";

export interface LocalEngineOptions {
  /** Compute threads; 0 = one per core. A run's results to the last bit belong to one number of threads. */
  threads?: number;
  /** Keeps a copy of the starting weights for KL terms. Default true. */
  reference?: boolean;
  /** Compute common prefixes of datums once; off = each datum alone, as an oracle. Default true. */
  sharePrefixes?: boolean;
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
  /** Which replica: the first one takes the optimiser's steps. */
  index: number;
  /** As the first replica leaves them. */
  weights: Float32Array;
  /** One per replica. */
  gradients: readonly Float32Array[];
}

export interface Core extends Engine {
  profile(): Promise<EngineProfile | undefined>;
  /** Threads of what is computed from now on. */
  useThreads(threads: number): void;
  /** Takes the weights that the first replica has left. */
  pull(): Promise<void>;
}

export function createCore(
  weights: Weights,
  threads: number,
  options: LocalEngineOptions = {},
  share?: Share,
): Core {
  const { config, parameters, flat } = weights;
  const tensors = fuseTensors(parameters);
  const feeds = weightFeeds(tensors, flat);
  const referenceFeeds =
    options.reference === false ? undefined : weightFeeds(tensors, Float32Array.from(flat));
  const adam = createAdamState(flat.length);
  const gradients = share?.gradients ?? [new Float32Array(flat.length)];
  const gradient = gradients[share?.index ?? 0]!;
  const ranges = parameters.map(({ offset, size, decay }) => ({ start: offset, end: offset + size, decay }));

  let current = threads;
  const sessions = new Map<string, Promise<Session>>();
  /** Compiled on first use, kept until close. */
  const session = (graph: string, build: () => Graph, workers = current): Promise<Session> => {
    const key = `${graph}, ${workers} ${workers === 1 ? "thread" : "threads"}`;
    let compiled = sessions.get(key);
    if (!compiled) {
      const { device = "cpu", profile = false } = options;
      compiled = createSession(build(), { threads: workers, device, profile });
      sessions.set(key, compiled);
    }
    return compiled;
  };

  const info: EngineInfo = {
    name: "local",
    vocabSize: config.vocabSize,
    contextLength: config.contextLength,
    parameters: parameters.reduce((total, { size }) => total + size, 0),
    threads,
    capabilities: { temperature: true, kl: ["k1", "k2", "k3"] },
  };

  const shapeKey = ({ levels, chunks }: PassShape) => `${levels} levels, ${chunks} chunks`;
  const passes = (kind: string, build: (shape: PassShape) => Graph, weightFeeds: Record<string, Feed>) => ({
    weights,
    feeds: weightFeeds,
    session: (shape: PassShape) => session(`${kind} ${shapeKey(shape)}`, () => build(shape)),
    sharePrefixes: options.sharePrefixes ?? true,
  });
  const memory = createMemoryPool();
  const sampler: Sampler = {
    weights,
    feeds,
    store: createKvStore(config, memory),
    memory,
    prefill: (levels) => session(`prefill ${levels} levels`, () => prefillGraph(config, levels)),
    extend: ({ shared }) => session(`extend, shared ${shared}`, () => extendGraph(config, { shared })),
    step: ({ shared, rows }) => {
      const isSmall = flat.length <= SMALL_MODEL && rows * flat.length <= SMALL_STEP;
      const build = () => stepGraph(config, { shared });
      return session(`step, shared ${shared}`, build, isSmall ? 1 : current);
    },
    computed: { prefillTokens: 0, decodedTokens: 0 },
  };

  /** What was computed with other weights. */
  const forget = () => {
    sampler.store.clear();
    memory.trim();
  };
  /** New weights for every replica, and no gradient of the old ones. */
  const publish = () => {
    for (const each of gradients) each.fill(0);
    share?.weights.set(flat);
    forget();
  };

  return {
    info,
    sample: (requests, params) => runSample(sampler, requests, params),
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
      return (await runForward(engine, data, temperature)).logprobs;
    },
    async forwardBackward(data, loss) {
      checkDatums(info, data, loss);
      const engine = passes(lossKey(loss), (shape) => trainingGraph(config, shape, loss), feeds);
      const { logprobs, metrics } = await runForwardBackward(engine, tensors, data, loss, gradient);
      return { logprobs, metrics };
    },
    async optimStep(params) {
      for (const other of gradients) if (other !== gradient) addTo(gradient, other);
      const gradNorm = adamStep(flat, gradient, adam, ranges, params);
      publish();
      return { gradNorm };
    },
    saveState: (folder) => saveTrainingState(folder, weights, adam),
    async loadState(folder) {
      await loadTrainingState(folder, weights, adam);
      publish();
    },
    saveWeights: (folder) => saveModel(folder, weights),
    useThreads(count) {
      current = count;
    },
    async pull() {
      if (share) flat.set(share.weights);
      forget();
    },
    async profile() {
      if (!options.profile) return undefined;
      const profiles: GraphTime[] = [];
      for (const [graph, compiled] of sessions) {
        const profile = await (await compiled).profile();
        if (profile) profiles.push({ graph, ...profile });
      }
      return profiles.sort((a, b) => b.seconds - a.seconds);
    },
    async close() {
      for (const compiled of sessions.values()) await (await compiled).release();
      sessions.clear();
    },
  };
}

const lossKey = (loss: Loss) => `train ${loss.name} ${loss.kl ?? "no KL"}`;
