/**
 * A run on an MLflow server. Everything is sent from a queue beside training: a server that is slow, away or says no costs
 * a warning, never a step. The run folder keeps the MLflow run's id and how far it was told, so that a run that goes on
 * appends to the same one and tells no step twice.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { writeAtomic } from "../../core/atomic-file.ts";
import { type LogContext, type LogEvent, type Logger, numbersOf, type Outcome } from "../logger.ts";
import { createMlflowClient, isMissing, MlflowError, type MlflowMetric } from "./client.ts";
import { metricKey, paramsFrom } from "./names.ts";
import type { MlflowSettings } from "./settings.ts";

/** What the run folder keeps. */
const State = z.strictObject({
  uri: z.string(),
  runId: z.string().regex(/^[\w-]{1,256}$/),
  /** Were the settings told? */
  described: z.boolean(),
  /** The last step of each sort of event that was told; -1 for none. */
  told: z.strictObject({ step: z.int().min(-1), evaluation: z.int().min(-1) }),
});
type State = z.infer<typeof State>;

/** Of the server's own limits: metrics, and parameters, of one call. */
const METRICS_PER_CALL = 1000;
const PARAMS_PER_CALL = 100;
/** `pauses` before a call is made again, after which the next event tries; the longest wait at the end of a run. Arbitrary. */
const WAITS = { pauses: [1000, 2000], close: 10_000 };
/** Events kept for a server that is away; later ones are lost to it. Arbitrary, some megabytes. */
const MAX_WAITING = 10_000;

const STATUS = { finished: "FINISHED", stopped: "KILLED", failed: "FAILED" } as const;

interface Waiting {
  event: LogEvent;
  timestamp: number;
}

/** `path` is the file of what is kept; `waits` are in milliseconds. */
export function createMlflow(context: LogContext, settings: MlflowSettings, waits = WAITS): Logger {
  const { now, warn } = context;
  const stop = new AbortController();
  const client = createMlflowClient(settings, stop.signal);
  const queue: Waiting[] = [];
  let state: State | undefined;
  let sending: Promise<void> | undefined;
  let failures = 0;
  let lost = 0;
  let hasGivenUp = false;
  let hasWarned = false;
  let hasEnded = false;

  const send = async () => {
    state ??= await openRun();
    if (!state.described) {
      for (const params of chunks(paramsFrom(context.settings), PARAMS_PER_CALL)) {
        await client.logBatch(state.runId, { params });
      }
      await keep({ ...state, described: true });
    }
    const batch = firstOf(queue);
    const news = batch.filter(({ event }) => event.step > state!.told[event.type]);
    const metrics = news.flatMap(metricsOf);
    if (metrics.length > 0) await client.logBatch(state.runId, { metrics });
    queue.splice(0, batch.length);
    const told = { ...state.told };
    for (const { event } of news) told[event.type] = event.step;
    await keep({ ...state, told });
  };
  /** The MLflow run of a run that goes on. */
  const keptRun = async (): Promise<State | undefined> => {
    const kept = context.resumedFrom === undefined ? undefined : await readState(context.path);
    return kept?.uri === settings.uri ? kept : undefined;
  };
  const openRun = async (): Promise<State> => {
    const kept = await keptRun();
    if (kept) {
      try {
        await client.updateRun(kept.runId, "RUNNING");
        return kept;
      } catch (error) {
        if (!isMissing(error)) throw error;
        warn(`mlflow: the run ${kept.runId} is no longer on ${settings.uri}; a new one is begun`);
      }
    }
    const experiment = await client.experiment(settings.experiment);
    const runId = await client.createRun(experiment, context.runName, now());
    return keep({ uri: settings.uri, runId, described: false, told: { step: -1, evaluation: -1 } });
  };
  const keep = async (next: State): Promise<State> => {
    state = next;
    await writeAtomic(context.path, `${JSON.stringify(next, null, 2)}\n`);
    return next;
  };

  /** Until nothing waits, or the server has failed too often in a row. Never throws. */
  const deliver = async () => {
    while (queue.length > 0 && !hasGivenUp && !stop.signal.aborted) {
      try {
        await send();
        failures = 0;
      } catch (error) {
        if (stop.signal.aborted) return;
        // what is no answer of the server's would not get better either: a disk that is full, a mistake of ours
        if (!(error instanceof MlflowError) || error.isFinal) return giveUp(error as Error);
        const ms = waits.pauses[failures++];
        if (ms === undefined) return warnOnce(error);
        await pause(ms, undefined, { signal: stop.signal }).catch(() => {});
      }
    }
  };
  const warnOnce = (error: Error) => {
    if (!hasWarned) warn(`mlflow: ${error.message}; the run goes on, and so do the tries`);
    hasWarned = true;
  };
  const giveUp = (error: Error) => {
    hasGivenUp = true;
    warn(`mlflow: ${error.message}; nothing more is sent, and the run goes on`);
  };
  const start = () => {
    sending ??= deliver().finally(() => {
      sending = undefined;
    });
    return sending;
  };
  const end = async (outcome: Outcome) => {
    await start();
    await start(); // what came while it failed
    state ??= await keptRun(); // all that was left to do may have been the end
    if (!state || hasGivenUp) return;
    await client.updateRun(state.runId, STATUS[outcome], now());
    hasEnded = true;
  };

  return {
    log(event) {
      if (queue.length === MAX_WAITING) return void lost++;
      queue.push({ event, timestamp: now() });
      if (!hasGivenUp) void start();
    },
    async close(outcome) {
      const timer = setTimeout(() => stop.abort(), waits.close);
      const reason = await end(outcome).then(
        () => "",
        (error: Error) => error.message,
      );
      clearTimeout(timer);
      const missing = lost + queue.length;
      const lack = `${missing} steps and evaluations were not delivered; the run's own files have them`;
      const notes = [missing > 0 ? lack : reason, state && !hasEnded ? "the run stays RUNNING there" : ""];
      const told = notes.filter(Boolean).join("; ");
      if (told !== "") warn(`mlflow: ${told}`);
    },
  };
}

async function readState(path: string): Promise<State | undefined> {
  try {
    return State.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined; // begun before there was a logger, or damaged: a new MLflow run
  }
}

/** As many waiting events as one call takes. */
function firstOf(queue: readonly Waiting[]): Waiting[] {
  let count = 0;
  let metrics = 0;
  while (count < queue.length) {
    metrics += Object.keys(queue[count]!.event.metrics).length;
    if (metrics > METRICS_PER_CALL && count > 0) break;
    count++;
  }
  return queue.slice(0, count);
}

/** JSON has no numbers that are none. */
function metricsOf({ event, timestamp }: Waiting): MlflowMetric[] {
  const finite = numbersOf(event).filter(([, value]) => Number.isFinite(value));
  return finite.map(([name, value]) => ({ key: metricKey(name), value, timestamp, step: event.step }));
}

function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
