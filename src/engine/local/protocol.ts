/** What passes between the local engine and its worker thread. */
import type { ErrorCode } from "../../core/errors.ts";
import type { Engine } from "../contract.ts";
import type { LocalEngineOptions } from "./core.ts";

export interface WorkerSetup {
  /** Hugging Face folder. */
  model: string;
  threads: number;
  options: LocalEngineOptions;
}

export type EngineMethod = keyof Engine;

export interface Call {
  id: number;
  method: EngineMethod;
  args: readonly unknown[];
}

export interface Reply {
  id: number;
  result?: unknown;
  error?: { code?: ErrorCode; message: string; hint?: string | undefined };
}
