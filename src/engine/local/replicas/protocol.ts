/** What passes between the local engine and its worker threads. */
import type { ErrorCode } from "../../../core/errors.ts";
import type { Core, LocalEngineOptions } from "../core.ts";
import type { Share } from "../training/optimizer.ts";

export interface WorkerSetup {
  /** Hugging Face folder. */
  model: string;
  /** Of the sessions of a call that says nothing else. */
  threads: number;
  options: LocalEngineOptions;
  /** Among replicas. */
  share?: Share;
}

export type CoreMethod = Exclude<keyof Core, "useThreads">;

export interface Call {
  id: number;
  method: CoreMethod;
  args: readonly unknown[];
  /** Compute threads of this call. */
  threads: number;
}

export interface Reply {
  id: number;
  result?: unknown;
  error?: { code?: ErrorCode; message: string; hint?: string | undefined };
}
