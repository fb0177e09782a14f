/** What passes between whoever has a chat template rendered (template-thread.ts) and the thread that does it (template-worker.ts). */
import type { MessagePort } from "node:worker_threads";

export interface RenderRequest {
  /** The chat template. */
  source: string;
  /** One rendering for each: variables by name, all of them data. */
  contexts: readonly Readonly<Record<string, unknown>>[];
}

/** The rendered texts, or why there are none, and at which context. */
export type RenderReply =
  | { texts: string[] }
  | { failed: "parse"; reason: string }
  | { failed: "render"; reason: string; at: number };

export interface RenderSetup {
  /** Becomes 1 once an answer, or at first the thread itself, is there. */
  signal: Int32Array;
  port: MessagePort;
}
