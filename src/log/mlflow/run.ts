/**
 * The run of an MLflow server that a run folder belongs to. The folder keeps its id and what it was told, so that a run that
 * goes on appends to the same one and tells nothing twice. Knows nothing of tries and waits: what a call throws, it throws.
 */
import { z } from "zod";
import { writeAtomic } from "../../core/atomic-file.ts";
import { readJsonFile } from "../../core/json-file.ts";
import { type LogContext, type LogEvent, numbersOf, type Outcome } from "../logger.ts";
import { isMissing, type MlflowClient, type MlflowMetric } from "./client.ts";
import { metricKey, paramsFrom } from "./names.ts";
import type { MlflowSettings } from "./settings.ts";

/** What the run folder keeps. */
const Kept = z.strictObject({
  uri: z.string(),
  runId: z.string().regex(/^[\w-]{1,256}$/),
  /** Were the settings told? */
  described: z.boolean(),
  /** Up to which step, and which validations: a run that went back may be validated at steps between those. */
  told: z.strictObject({ step: z.int().min(0), evaluations: z.array(z.int().min(0)) }),
});
type Kept = z.infer<typeof Kept>;

/** Of the server's own limits: metrics, and parameters, of one call. */
const METRICS_PER_CALL = 1000;
const PARAMS_PER_CALL = 100;

const STATUS = { finished: "FINISHED", stopped: "KILLED", failed: "FAILED" } as const;

/** An event and when it was, in milliseconds since 1970. */
export interface Waiting {
  event: LogEvent;
  timestamp: number;
}

export interface MlflowRun {
  /** Tells what the queue begins with, as much as one call takes, and takes it off. Opens the run when it is needed first. */
  tell(queue: Waiting[]): Promise<void>;
  end(outcome: Outcome): Promise<void>;
  /** Does the server show it as one that is under way? */
  isOpen(): boolean;
}

/** Throws, call by call, what the client throws, and `MulliganError("io")`. */
export function createMlflowRun(
  context: LogContext,
  { uri, experiment }: MlflowSettings,
  client: MlflowClient,
): MlflowRun {
  const { path, settings, runName, resumedFrom, now, warn } = context;
  let run: Kept | undefined;
  let hasEnded = false;

  const keep = async (next: Kept): Promise<Kept> => {
    run = next;
    await writeAtomic(path, `${JSON.stringify(next, null, 2)}\n`);
    return next;
  };
  /** That of a run that goes on. */
  const findRun = async (): Promise<Kept | undefined> => {
    const kept = resumedFrom === undefined ? undefined : await readKept(path);
    return kept?.uri === uri ? kept : undefined;
  };
  const openRun = async (): Promise<Kept> => {
    const kept = await findRun();
    if (kept) {
      try {
        await client.updateRun(kept.runId, "RUNNING");
        return kept;
      } catch (error) {
        if (!isMissing(error)) throw error;
        warn(`mlflow: the run ${kept.runId} is no longer on ${uri}; a new one is begun`);
      }
    }
    const runId = await client.createRun(await client.experiment(experiment), runName, now());
    return keep({ uri, runId, described: false, told: { step: 0, evaluations: [] } });
  };
  const describe = async (run: Kept): Promise<Kept> => {
    for (const params of chunks(paramsFrom(settings), PARAMS_PER_CALL)) {
      await client.logBatch(run.runId, { params });
    }
    return keep({ ...run, described: true });
  };

  return {
    isOpen: () => run !== undefined && !hasEnded,
    async tell(queue) {
      run ??= await openRun();
      if (!run.described) run = await describe(run);
      const { runId, told } = run;
      const batch = firstOf(queue);
      const news = batch.filter(({ event }) => !isTold(told, event));
      const metrics = news.flatMap(metricsOf);
      if (metrics.length > 0) await client.logBatch(runId, { metrics });
      queue.splice(0, batch.length);
      await keep({ ...run, told: news.reduce(withTold, told) });
    },
    async end(outcome) {
      run ??= await findRun(); // all that was left to do may have been the end
      if (!run) return;
      await client.updateRun(run.runId, STATUS[outcome], now());
      hasEnded = true;
    },
  };
}

async function readKept(path: string): Promise<Kept | undefined> {
  try {
    return Kept.parse(await readJsonFile(path));
  } catch {
    return undefined; // begun before there was a logger, or damaged: a new MLflow run
  }
}

function isTold(told: Kept["told"], { type, step }: LogEvent): boolean {
  return type === "step" ? step <= told.step : told.evaluations.includes(step);
}

function withTold(told: Kept["told"], { event: { type, step } }: Waiting): Kept["told"] {
  return type === "step" ? { ...told, step } : { ...told, evaluations: [...told.evaluations, step] };
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
