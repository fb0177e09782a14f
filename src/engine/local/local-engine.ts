/**
 * The local engine in a worker thread, so that the event loop stays free while graphs run. Calls may overlap: the
 * worker answers them in order.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { MulliganError } from "../../core/errors.ts";
import type { Engine, EngineInfo } from "../contract.ts";
import type { LocalEngineOptions } from "./core.ts";
import type { Call, EngineMethod, Reply, WorkerSetup } from "./protocol.ts";

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Loads a Hugging Face folder. Throws what loadModel throws. Close the engine, or the process stays alive. */
export async function createLocalEngine(model: string, options: LocalEngineOptions = {}): Promise<Engine> {
  const threads = options.threads || availableParallelism();
  const worker = startWorker({ model, threads, options });
  const pending = new Map<number, Pending>();
  let calls = 0;
  /** Why no call can be answered any more. */
  let ended: Error | undefined;
  let closing: Promise<void> | undefined;

  worker.on("message", ({ id, result, error }: Reply) => {
    const call = pending.get(id)!;
    pending.delete(id);
    if (error) call.reject(toError(error));
    else call.resolve(result);
  });
  const fail = (error: Error) => {
    ended ??= error;
    for (const call of pending.values()) call.reject(error);
    pending.clear();
  };
  worker.on("error", fail);
  worker.on("exit", () => {
    const how = closing ? "it is closed" : "its worker thread has ended";
    fail(new MulliganError("engine", `local engine: ${how}`));
  });

  const call = <T>(method: EngineMethod, ...args: unknown[]): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (ended) throw ended;
      const id = calls++;
      pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      worker.postMessage({ id, method, args } satisfies Call);
    });

  const shutDown = async () => {
    if (!ended) await call("close");
    await worker.terminate();
  };

  let info: EngineInfo;
  try {
    info = await call<EngineInfo>("info");
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return {
    info,
    sample: (...args) => call("sample", ...args),
    forward: (...args) => call("forward", ...args),
    forwardBackward: (...args) => call("forwardBackward", ...args),
    optimStep: (...args) => call("optimStep", ...args),
    saveState: (...args) => call("saveState", ...args),
    loadState: (...args) => call("loadState", ...args),
    saveWeights: (...args) => call("saveWeights", ...args),
    profile: () => call("profile"),
    close() {
      closing ??= shutDown();
      return closing;
    },
  };
}

/** From built files the worker is plain JavaScript; from sources (tests, `npm run pretrain`) jiti loads it. */
function startWorker(workerData: WorkerSetup): Worker {
  if (!import.meta.url.endsWith(".ts"))
    return new Worker(new URL("./worker.js", import.meta.url), { workerData });
  // an eval'ed worker would look for jiti in the current folder
  const [self, jiti] = [import.meta.url, import.meta.resolve("jiti")].map((url) => JSON.stringify(url));
  const start = `import(${jiti}).then(({ createJiti }) => createJiti(${self}).import("./worker.ts"))`;
  return new Worker(start, { eval: true, workerData, execArgv: [] });
}

function toError({ code, message, hint }: NonNullable<Reply["error"]>): Error {
  return code ? new MulliganError(code, message, hint === undefined ? {} : { hint }) : new Error(message);
}
