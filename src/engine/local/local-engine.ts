/**
 * The local engine in worker threads, so that the event loop stays free while graphs run. A small model is computed by one
 * replica per thread, each with its part of the sequences: its products are too small to be shared out among threads,
 * and everything between them is one thread's work. Calls may overlap: they are answered in order.
 */
import { availableParallelism } from "node:os";
import type { Datum } from "../../core/datum.ts";
import type { EngineProfile } from "../../core/profile.ts";
import { requireDevice } from "../../graph/index.ts";
import type { Engine, EngineInfo, ForwardBackwardResult, SampleRequest } from "../contract.ts";
import type { LocalEngineOptions } from "./core.ts";
import { checkDatums, checkPrompts, checkTemperature } from "./input-check.ts";
import { partition } from "./prefixes/partition.ts";
import { mergeProfiles } from "./replicas/profiles.ts";
import { type Replica, startReplica } from "./replicas/replica.ts";
import { replicasFor } from "./replicas/replicas.ts";
import { nonFiniteGradient } from "./training/adamw.ts";
import type { Share } from "./training/optimizer.ts";
import { sizesOf } from "./weights.ts";

/**
 * A sampled token costs as much as so many tokens of a prompt: 54 µs against 24 for a step of the game on S, from the
 * seconds of its graphs (`bench/rrr-step.ts --profile on`).
 */
const SAMPLED_TOKEN = 2;

/**
 * Fewer rows than this are decoded faster by one replica with all threads, since each step reads all weights: of 16 rows
 * two replicas made 8,700 (S) and 2,500 tokens/s (M), one 10,400 and 2,900 (`bench/decode.ts`).
 */
const LEAST_ROWS = 16;

/** Loads a Hugging Face folder. Throws what loadWeights and requireDevice throw. Close the engine, or the process stays alive. */
export async function createLocalEngine(model: string, options: LocalEngineOptions = {}): Promise<Engine> {
  const threads = options.threads || availableParallelism();
  const { device = "cpu" } = options;
  const sizes = await sizesOf(model, options);
  await requireDevice(device);
  const count = replicasFor(sizes.all, options);
  const shares = count > 1 ? sharesOf(sizes.trained, count) : [undefined];
  const replicas = shares.map((share) => startReplica({ model, threads, options, ...(share && { share }) }));
  try {
    const [info] = await Promise.all(replicas.map((replica) => replica.call(threads, "info")));
    return engineOf(replicas, info!, options.profile ?? false);
  } catch (error) {
    await endAll(replicas);
    throw error;
  }
}

function engineOf(replicas: readonly Replica[], info: EngineInfo, isMeasured: boolean): Engine {
  const { threads } = info;
  const first = replicas[0]!;
  const inTurn = createQueue();
  /** A part for each replica, which has a thread of its own; what is not parted goes to one with all threads. */
  const inParts = <I, R>(
    items: readonly I[],
    parts: readonly (readonly number[])[],
    compute: (replica: Replica, threads: number, part: I[]) => Promise<R>,
  ): Promise<R[]> => {
    const threadsOfEach = parts.length === 1 ? threads : 1;
    const itemsOf = (indices: readonly number[]) => indices.map((i) => items[i]!);
    return Promise.all(parts.map((part, r) => compute(replicas[r]!, threadsOfEach, itemsOf(part))));
  };
  const partsOf = (data: readonly Pick<Datum, "tokens">[]) =>
    partition(
      data.map(({ tokens }) => tokens),
      replicas.length,
    );
  const partsOfRequests = (requests: readonly SampleRequest[], maxTokens: number) =>
    partition(
      requests.map(({ prompt }) => prompt),
      Math.max(1, Math.min(replicas.length, Math.floor(requests.length / LEAST_ROWS))),
      SAMPLED_TOKEN * maxTokens,
    );
  const settle = () => Promise.all(replicas.map((replica) => replica.call(1, "settle")));

  let closing: Promise<void> | undefined;
  return {
    info,
    sample: (requests, params) =>
      inTurn(async () => {
        checkPrompts(info, requests);
        const parts = partsOfRequests(requests, params.maxTokens);
        const samples = await inParts(requests, parts, (replica, workers, part) =>
          replica.call(workers, "sample", part, params),
        );
        return inOrder(parts, samples);
      }),
    forget: () =>
      inTurn(async () => {
        await Promise.all(replicas.map((replica) => replica.call(1, "forget")));
      }),
    forward: (data, choice = {}) =>
      inTurn(async () => {
        checkTemperature(choice.temperature);
        checkDatums(info, data);
        const parts = partsOf(data);
        const logprobs = await inParts(data, parts, (replica, workers, part) =>
          replica.call(workers, "forward", part, choice),
        );
        return inOrder(parts, logprobs);
      }),
    forwardBackward: (data, loss) =>
      inTurn(async () => {
        checkDatums(info, data, loss);
        const parts = partsOf(data);
        const results = await inParts(data, parts, (replica, workers, part) =>
          replica.call(workers, "forwardBackward", part, loss),
        );
        const logprobs = results.map((result) => result.logprobs);
        return { logprobs: inOrder(parts, logprobs), metrics: addMetrics(results) };
      }),
    optimStep: (params) =>
      inTurn(async () => {
        const squares = await Promise.all(replicas.map((replica) => replica.call(1, "sumGradients")));
        const gradNorm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
        if (!Number.isFinite(gradNorm)) {
          const where = await first.call(1, "nonFiniteParameter");
          await settle();
          throw nonFiniteGradient(gradNorm, where);
        }
        await Promise.all(replicas.map((replica) => replica.call(1, "stepSlice", params, gradNorm)));
        await settle();
        return { gradNorm };
      }),
    zeroGrad: () =>
      inTurn(async () => {
        await Promise.all(replicas.map((replica) => replica.call(1, "zeroGrad")));
      }),
    saveState: (folder) => inTurn(() => first.call(threads, "saveState", folder)),
    loadState: (folder) =>
      inTurn(async () => {
        await first.call(threads, "loadState", folder);
        await settle();
      }),
    saveWeights: (folder) => inTurn(() => first.call(threads, "saveWeights", folder)),
    profile: () =>
      inTurn(async () => {
        if (!isMeasured) return undefined;
        const profiles = await Promise.all(replicas.map((replica) => replica.call(threads, "profile")));
        return mergeProfiles(profiles as EngineProfile[]);
      }),
    close() {
      closing ??= inTurn(async () => {
        await Promise.all(replicas.map((replica) => replica.call(threads, "close"))).catch(() => {});
        await endAll(replicas);
      });
      return closing;
    },
  };
}

/** What replicas see of each other: weights and moments, of which each steps its slice, and everyone's gradient. */
function sharesOf(size: number, replicas: number): Share[] {
  const numbers = () => new Float32Array(new SharedArrayBuffer(4 * size));
  const weights = numbers();
  const adam = { m: numbers(), v: numbers(), steps: new Int32Array(new SharedArrayBuffer(4)) };
  const gradients = Array.from({ length: replicas }, numbers);
  return gradients.map((_, index) => ({ index, weights, adam, gradients }));
}

async function endAll(replicas: readonly Replica[]): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.end()));
}

/** Runs what it is given after all that it was given before, whether that succeeded or not. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}

/** The parts' results in the order of what was asked for. */
function inOrder<R>(parts: readonly (readonly number[])[], results: readonly (readonly R[])[]): R[] {
  const ordered: R[] = [];
  parts.forEach((indices, p) => {
    indices.forEach((index, i) => {
      ordered[index] = results[p]![i]!;
    });
  });
  return ordered;
}

/** Every metric is a `:sum` (contract.ts). */
function addMetrics(results: readonly ForwardBackwardResult[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { metrics } of results) {
    for (const [name, value] of Object.entries(metrics)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}
