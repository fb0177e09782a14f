/**
 * Has chat templates rendered in a thread of its own and waits for it, so that one that never ends or takes all memory can
 * be ended: nothing else stops a program that a model's folder brings along. Knows neither messages nor tokens.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from "node:worker_threads";
import { startWorker } from "../core/own-program.ts";
import type { RenderReply, RenderRequest, RenderSetup } from "./template-protocol.ts";

/**
 * Most time of what is rendered together, four texts at most, in milliseconds by the clock and in those that this process
 * computes. The slowest known template takes some 10 for a text.
 */
const RENDER_MS = 1000;
/** Longest wait while the process hardly computes: other programs have the processor, or the thread is gone. */
const MAX_WAIT_MS = 8 * RENDER_MS;
/** Longest start of the thread. */
const START_MS = 60_000;
/** Of the thread's heap. What a rendering makes is bounded far below (template-worker.ts). */
const HEAP_MB = 256;

interface Thread {
  worker: Worker;
  port: MessagePort;
  signal: Int32Array;
}

/** One for all templates, started when it is first needed. */
let current: Thread | undefined;

/** The template's texts, or why there are none. Throws what `postMessage` throws for variables that are no data. */
export function renderInThread(request: RenderRequest): RenderReply {
  current ??= startThread();
  current.port.postMessage(request);
  const isAnswered = wait(current.signal, RENDER_MS, MAX_WAIT_MS);
  const reply = isAnswered && receiveMessageOnPort(current.port);
  if (reply) return reply.message as RenderReply;
  endThread(current);
  current = undefined;
  return { failed: "render", at: 0, reason: `it took longer than ${RENDER_MS} ms, or too much memory` };
}

function startThread(): Thread {
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const { port1: port, port2 } = new MessageChannel();
  const worker = startWorker(import.meta.url, "./template-worker", {
    workerData: { signal, port: port2 } satisfies RenderSetup,
    transferList: [port2],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    execArgv: [],
  });
  worker.on("error", () => {}); // out of memory: whoever waits for an answer gets none
  worker.unref();
  port.unref();
  const thread = { worker, port, signal };
  if (wait(signal, START_MS, START_MS)) return thread;
  endThread(thread);
  throw new Error("the thread that renders chat templates did not start");
}

function endThread({ worker, port }: Thread): void {
  port.close();
  void worker.terminate();
}

/**
 * Waits until the signal is 1, sets it back and says whether it came: before this process computed for `computedMs` (of all
 * its threads, so that the clock must have gone as far), and within `longestMs` by the clock. A process that was suspended,
 * has no processor, or computes in other threads too is not blamed on the template.
 */
function wait(signal: Int32Array, computedMs: number, longestMs: number): boolean {
  const before = process.cpuUsage();
  const start = performance.now();
  const turnMs = computedMs / 4; // how late it may notice
  for (let waited = 0; waited < longestMs; waited += turnMs) {
    const outcome = Atomics.wait(signal, 0, 0, turnMs);
    if (Atomics.exchange(signal, 0, 0) === 1) return true;
    // else it was woken for the last answer, which it had taken already
    const { user, system } = process.cpuUsage(before);
    const isOver = performance.now() - start >= computedMs && user + system >= computedMs * 1000;
    if (outcome === "timed-out" && isOver) return false;
  }
  return false;
}
