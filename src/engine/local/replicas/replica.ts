/** A replica of the model in a worker thread: calls go in as messages and are answered in the order they came. */
import { MulliganError } from "../../../core/errors.ts";
import { startWorker } from "../../../core/own-program.ts";
import type { EngineInfo } from "../../contract.ts";
import type { Core } from "../core.ts";
import type { Call, CoreMethod, Reply, WorkerSetup } from "./protocol.ts";

type Result<M extends CoreMethod> = Core[M] extends (...args: never[]) => infer R ? Awaited<R> : EngineInfo;
type Args<M extends CoreMethod> = Core[M] extends (...args: infer A) => unknown ? A : [];

export interface Replica {
  /** Computes with so many threads. */
  call<M extends CoreMethod>(threads: number, method: M, ...args: Args<M>): Promise<Result<M>>;
  /** Stops the thread, also in the middle of a call. */
  end(): Promise<void>;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** What the model's loading throws is the answer to the first call. */
export function startReplica(setup: WorkerSetup): Replica {
  const worker = startWorker(import.meta.url, "./worker", { workerData: setup });
  const pending = new Map<number, Pending>();
  let calls = 0;
  /** Why no call can be answered any more. */
  let ended: Error | undefined;
  let isEnding = false;

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
    const how = isEnding ? "it is closed" : "its worker thread has ended";
    fail(new MulliganError("engine", `local engine: ${how}`));
  });

  return {
    call: (threads, method, ...args) =>
      new Promise((resolve, reject) => {
        if (ended) throw ended;
        const id = calls++;
        pending.set(id, { resolve: resolve as Pending["resolve"], reject });
        worker.postMessage({ id, method, args, threads } satisfies Call);
      }),
    async end() {
      isEnding = true;
      await worker.terminate();
    },
  };
}

function toError({ code, message, hint }: NonNullable<Reply["error"]>): Error {
  return code ? new MulliganError(code, message, hint === undefined ? {} : { hint }) : new Error(message);
}
