/** A worker thread of the local engine: answers calls one after the other, in the order they came. */
import { parentPort, workerData } from "node:worker_threads";
import { MulliganError } from "../../../core/errors.ts";
import { type Core, createCore } from "../core.ts";
import { loadWeights } from "../weights.ts";
import type { Call, CoreMethod, Reply, WorkerSetup } from "./protocol.ts";

const setup = workerData as WorkerSetup;
const port = parentPort!;

/** Starts as the model's loading, whose failure is the answer to the first call ("info"). */
let queue: Promise<Core> = loadWeights(setup.model, setup.options).then((weights) =>
  createCore(weights, setup.threads, setup.options, setup.share),
);
queue.catch(() => {});

port.on("message", ({ id, method, args, threads }: Call) => {
  const answer = queue.then((core) => {
    core.useThreads(threads);
    return perform(core, method, args);
  });
  answer.then(
    (result) => port.postMessage({ id, result } satisfies Reply),
    (error) => port.postMessage({ id, error: describe(error) } satisfies Reply),
  );
  // The next call waits for this one, whether it succeeded or not.
  const core = queue;
  queue = answer.then(
    () => core,
    () => core,
  );
  queue.catch(() => {});
});

function perform(core: Core, method: CoreMethod, args: readonly unknown[]): unknown {
  if (method === "info") return core.info;
  return (core[method] as (...args: readonly unknown[]) => unknown)(...args);
}

function describe(error: unknown): Reply["error"] {
  if (error instanceof MulliganError) return { code: error.code, message: error.message, hint: error.hint };
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
