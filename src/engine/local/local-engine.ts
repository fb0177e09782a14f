/**
 * The local engine in worker threads, so that the event loop stays free while graphs run. A small model is computed by one
 * replica per thread, each with its part of the sequences: its products are too small to be shared out among threads,
 * and everything between them is one thread's work. Calls may overlap: they are answered in order.
 */
import { availableParallelism } from "node:os";
import type { EngineProfile } from "../../core/profile.ts";
import { requireDevice } from "../../graph/index.ts";
import { loadModelShape } from "../../model/folder.ts";
import type { Engine, ForwardBackwardResult } from "../contract.ts";
import type { LocalEngineOptions, Share } from "./core.ts";
import { checkDatums, checkPrompts, checkTemperature } from "./datum-check.ts";
import { partition } from "./partition.ts";
import { mergeProfiles } from "./profiles.ts";
import { startReplica } from "./replica.ts";

/** Parameters of a model that every thread has a copy of (docs/benchmarks.md). */
const REPLICATED_MODEL = 2 ** 24;

/** A sampled token costs as much as so many tokens of a prompt: 54 µs against 24, for a step of the game on S. */
const SAMPLED_TOKEN = 2;

/** Fewer rows than this are decoded faster by one replica with all threads: each step reads all weights. */
const LEAST_ROWS = 16;

/** Loads a Hugging Face folder. Throws what loadModel and requireDevice throw. Close the engine, or the process stays alive. */
export async function createLocalEngine(model: string, options: LocalEngineOptions = {}): Promise<Engine> {
  const threads = options.threads || availableParallelism();
  const { device = "cpu" } = options;
  const size = (await loadModelShape(model)).size;
  await requireDevice(device);
  const isReplicated = size <= REPLICATED_MODEL && device === "cpu";
  const shares = isReplicated ? sharesOf(size, threads) : [undefined];
  const replicas = shares.map((share) => startReplica({ model, threads, options, ...(share && { share }) }));
  const first = replicas[0]!;
  const end = () => Promise.all(replicas.map((replica) => replica.end()));

  const infos = await Promise.all(replicas.map((replica) => replica.call(threads, "info"))).catch(
    async (error) => {
      await end();
      throw error;
    },
  );
  const info = infos[0]!;

  let last: Promise<unknown> = Promise.resolve();
  /** After the calls that were made before. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
  /** A part for each replica, which has a thread of its own; what cannot be parted goes to one with all threads. */
  const inParts = async <I, R>(
    items: readonly I[],
    parts: readonly (readonly number[])[],
    compute: (replica: (typeof replicas)[0], threads: number, part: I[]) => Promise<R>,
  ) => {
    const threadsOfEach = parts.length === 1 ? threads : 1;
    return Promise.all(
      parts.map((indices, r) =>
        compute(
          replicas[r]!,
          threadsOfEach,
          indices.map((i) => items[i]!),
        ),
      ),
    );
  };
  const settle = () => Promise.all(replicas.map((replica) => replica.call(1, "settle")));

  let closing: Promise<void> | undefined;
  return {
    info,
    sample: (requests, params) =>
      inTurn(async () => {
        checkPrompts(info, requests);
        const prompts = requests.map(({ prompt }) => prompt);
        const count = Math.min(replicas.length, Math.floor(requests.length / LEAST_ROWS));
        const parts = partition(prompts, Math.max(1, count), SAMPLED_TOKEN * params.maxTokens);
        const samples = await inParts(requests, parts, (replica, workers, part) =>
          replica.call(workers, "sample", part, params),
        );
        return inOrder(parts, samples);
      }),
    forward: (data, choice = {}) =>
      inTurn(async () => {
        checkTemperature(choice.temperature);
        checkDatums(info, data);
        const parts = partition(
          data.map(({ tokens }) => tokens),
          replicas.length,
        );
        const logprobs = await inParts(data, parts, (replica, workers, part) =>
          replica.call(workers, "forward", part, choice),
        );
        return inOrder(parts, logprobs);
      }),
    forwardBackward: (data, loss) =>
      inTurn(async () => {
        checkDatums(info, data, loss);
        const parts = partition(
          data.map(({ tokens }) => tokens),
          replicas.length,
        );
        const results = await inParts(data, parts, (replica, workers, part) =>
          replica.call(workers, "forwardBackward", part, loss),
        );
        return {
          logprobs: inOrder(
            parts,
            results.map(({ logprobs }) => logprobs),
          ),
          metrics: addMetrics(results),
        };
      }),
    optimStep: (params) =>
      inTurn(async () => {
        const squares = await Promise.all(replicas.map((replica) => replica.call(1, "sumGradients")));
        const gradNorm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
        await Promise.all(replicas.map((replica) => replica.call(1, "stepSlice", params, gradNorm)));
        await settle();
        return { gradNorm };
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
        const profiles = await Promise.all(replicas.map((replica) => replica.call(threads, "profile")));
        return options.profile ? mergeProfiles(profiles as EngineProfile[]) : undefined;
      }),
    close() {
      closing ??= inTurn(async () => {
        await Promise.all(replicas.map((replica) => replica.call(threads, "close"))).catch(() => {});
        await end();
      });
      return closing;
    },
  };
}

function sharesOf(size: number, replicas: number): (Share | undefined)[] {
  if (replicas === 1) return [undefined];
  const numbers = () => new Float32Array(new SharedArrayBuffer(4 * size));
  const weights = numbers();
  const adam = { m: numbers(), v: numbers(), steps: new Int32Array(new SharedArrayBuffer(4)) };
  const gradients = Array.from({ length: replicas }, numbers);
  return gradients.map((_, index) => ({ index, weights, adam, gradients }));
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

/** Metrics are sums over tokens (contract.ts). */
function addMetrics(results: readonly ForwardBackwardResult[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { metrics } of results) {
    for (const [name, value] of Object.entries(metrics)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}
