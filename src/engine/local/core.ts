/**
 * The local engine itself, on whatever thread creates it: weights, optimiser state and compiled graphs behind the
 * contract. Calls must not overlap; the worker in front of it (local-engine.ts) queues them.
 */
import { MulliganError } from "../../core/errors.ts";
import { createSession, type Graph, type Session } from "../../graph/index.ts";
import { saveModel } from "../../model/folder.ts";
import type { Engine, EngineInfo, Loss } from "../contract.ts";
import { adamStep, createAdamState } from "./adamw.ts";
import { checkDatums, checkTemperature } from "./datum-check.ts";
import { runForward, runForwardBackward } from "./passes.ts";
import { runSample } from "./sampler.ts";
import { samplingGraph } from "./sampling-graph.ts";
import { loadTrainingState, saveTrainingState } from "./state.ts";
import { forwardGraph, trainingGraph } from "./training-graph.ts";
import { type Weights, weightFeeds } from "./weights.ts";

export interface LocalEngineOptions {
  /** Compute threads; 0 = one per core. A run's results to the last bit belong to one number of threads. */
  threads?: number;
  /** Keeps a copy of the starting weights for KL terms. Default true. */
  reference?: boolean;
}

export function createCore(weights: Weights, threads: number, options: LocalEngineOptions = {}): Engine {
  const { config, parameters, flat } = weights;
  const feeds = weightFeeds(weights);
  const referenceFeeds =
    options.reference === false ? undefined : weightFeeds({ parameters, flat: Float32Array.from(flat) });
  const adam = createAdamState(flat.length);
  const gradient = new Float32Array(flat.length);
  const ranges = parameters.map(({ offset, size, decay }) => ({ start: offset, end: offset + size, decay }));

  const sessions = new Map<string, Promise<Session>>();
  /** Compiled on first use, kept until close. */
  const session = (key: string, build: () => Graph): Promise<Session> => {
    let compiled = sessions.get(key);
    if (!compiled) {
      compiled = createSession(build(), { threads });
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

  return {
    info,
    async sample(requests, params) {
      const prefill = await session("prefill", () => samplingGraph(config, { cache: false }));
      const decode = await session("decode", () => samplingGraph(config, { cache: true }));
      return runSample({ prefill, decode, weights, feeds }, requests, params);
    },
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
      const compiled = await session("forward", () => forwardGraph(config));
      return runForward(compiled, weights, chosen, data, temperature);
    },
    async forwardBackward(data, loss) {
      checkDatums(info, data, loss);
      const compiled = await session(sessionKey(loss), () => trainingGraph(config, loss));
      return runForwardBackward(compiled, weights, feeds, data, loss, gradient);
    },
    async optimStep(params) {
      const gradNorm = adamStep(flat, gradient, adam, ranges, params);
      gradient.fill(0);
      return { gradNorm };
    },
    saveState: (folder) => saveTrainingState(folder, weights, adam),
    async loadState(folder) {
      await loadTrainingState(folder, weights, adam);
      gradient.fill(0);
    },
    saveWeights: (folder) => saveModel(folder, weights),
    async close() {
      for (const compiled of sessions.values()) await (await compiled).release();
      sessions.clear();
    },
  };
}

const sessionKey = (loss: Loss) => `train ${loss.name} ${loss.kl ?? "no KL"}`;
