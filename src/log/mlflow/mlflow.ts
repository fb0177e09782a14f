/**
 * A run on an MLflow server. Everything is sent from a queue beside training: a server that is slow, away or says no costs
 * a warning, never a step.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { LogContext, Logger } from "../logger.ts";
import { createMlflowClient, MlflowError } from "./client.ts";
import { createMlflowRun, type MlflowRun, type Waiting } from "./run.ts";
import type { MlflowSettings } from "./settings.ts";

/** `pauses` before a call is made again, after which the next event tries; the longest wait at the end of a run. Arbitrary. */
const WAITS = { pauses: [1000, 2000], close: 10_000 };
/** Events kept for a server that is away; later ones are lost to it. Arbitrary, some megabytes. */
const MAX_WAITING = 10_000;

/** `path` is the file of what is kept; `waits` are in milliseconds. */
export function createMlflow(context: LogContext, settings: MlflowSettings, waits = WAITS): Logger {
  const { now, warn } = context;
  const stop = new AbortController();
  const run = createMlflowRun(context, settings, createMlflowClient(settings, stop.signal));
  const sender = createSender(run, { pauses: waits.pauses, signal: stop.signal, warn });
  const end: Logger["close"] = async (outcome) => {
    if (await sender.flush()) await run.end(outcome);
  };
  return {
    log: (event) => sender.send({ event, timestamp: now() }),
    async close(outcome) {
      const timer = setTimeout(() => stop.abort(), waits.close);
      const reason = await end(outcome).then(
        () => "",
        (error: Error) => error.message,
      );
      clearTimeout(timer);
      const missing = sender.missing();
      const lack = `${missing} steps and evaluations were not delivered; the run's own files have them`;
      const notes = [missing > 0 ? lack : reason, run.isOpen() ? "the run stays RUNNING there" : ""];
      const told = notes.filter(Boolean).join("; ");
      if (told !== "") warn(`mlflow: ${told}`);
    },
  };
}

interface Sender {
  /** Returns at once. */
  send(waiting: Waiting): void;
  /** Sends what is left; false when nothing more will be taken. Never throws. */
  flush(): Promise<boolean>;
  /** How many were not delivered so far. */
  missing(): number;
}

function createSender(
  run: MlflowRun,
  { pauses, signal, warn }: { pauses: readonly number[]; signal: AbortSignal; warn: LogContext["warn"] },
): Sender {
  const queue: Waiting[] = [];
  let sending: Promise<void> | undefined;
  let failures = 0;
  let lost = 0;
  let hasGivenUp = false;
  let hasWarned = false;

  /** Until nothing waits, or the server has failed too often in a row. Never throws. */
  const deliver = async () => {
    while (queue.length > 0 && !hasGivenUp && !signal.aborted) {
      try {
        await run.tell(queue);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        // what is no answer of the server's would not get better either: a disk that is full, a mistake of ours
        if (!(error instanceof MlflowError) || error.isFinal) return giveUp(error as Error);
        const ms = pauses[failures++];
        if (ms === undefined) return warnOnce(error);
        await pause(ms, undefined, { signal }).catch(() => {});
      }
    }
  };
  const warnOnce = ({ message }: Error) => {
    if (!hasWarned) warn(`mlflow: ${message}; the run goes on, and so do the tries`);
    hasWarned = true;
  };
  const giveUp = ({ message }: Error) => {
    hasGivenUp = true;
    warn(`mlflow: ${message}; nothing more is sent, and the run goes on`);
  };
  const start = () => {
    sending ??= deliver().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  return {
    send(waiting) {
      if (queue.length === MAX_WAITING) return void lost++;
      queue.push(waiting);
      if (!hasGivenUp) void start();
    },
    async flush() {
      await start();
      await start(); // what came while it failed
      return !hasGivenUp;
    },
    missing: () => lost + queue.length,
  };
}
