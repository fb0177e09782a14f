/**
 * Stage 2 of the method as a stream of events: sample groups, build a batch, update, report, again. A step is never
 * left half done: stopping and resuming give the run that was never stopped.
 */
import type { Failure, Group } from "../core/episode.ts";
import { isNonFinite } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { Trace } from "../core/trace.ts";
import type { Engine } from "../engine/contract.ts";
import type { Warning } from "../learn/health.ts";
import type { Metrics, Timings } from "../learn/metric-names.ts";
import type { Policy } from "../loop/policy.ts";
import { meanSolved } from "../loop/retry.ts";
import { type Rows, rowsOf } from "../loop/verdicts.ts";
import type { RunFolder } from "../store/run-folder.ts";
import { type Progress, resumeLatest, saveCheckpoint, validated, withBest } from "./checkpoint.ts";
import type { MulliganConfig } from "./config.ts";
import { createHealthWatch } from "./health-watch.ts";
import { requireCapabilities, requireItems, requireRoom } from "./preflight.ts";
import { createFailureFeed } from "./refresh.ts";
import { divergence, keepSkipped, skippedWarning } from "./skipped.ts";
import { attemptSource, episodeSource, type Source } from "./source.ts";
import { type Dropped, type StepTaken, takeStep } from "./step.ts";
import { createStopwatch, type Stopwatch } from "./stopwatch.ts";
import { tracesOf } from "./traces.ts";
import { createUndo } from "./undo.ts";

export interface TrainSetup {
  policy: Policy & { engine: Engine };
  task: Task;
  /** What `collectFailures` kept; not used when first attempts learn. */
  failures: readonly Failure[];
  config: MulliganConfig;
  /** Receives checkpoints; without it none are saved. */
  folder?: RunFolder;
  /** Continue from the folder's newest checkpoint, or start when it has none. */
  resume?: boolean;
  /** Called at step 0, every `eval.steps` steps and after the last. */
  evaluate?: (step: number) => Promise<Record<string, number>>;
  /** Stops after the step under way, with a checkpoint. */
  signal?: AbortSignal;
}

export type TrainEvent =
  /** `groups`: the step's episodes; empty when first attempts learn. Only `timings` differ between equal runs. */
  | {
      type: "step";
      step: number;
      metrics: Metrics;
      timings: Timings;
      groups: readonly Group[];
      traces: readonly Trace[];
    }
  /** After the step that it is about. */
  | ({ type: "warning"; step: number } & Warning)
  | { type: "evaluation"; step: number; metrics: Record<string, number> }
  | { type: "checkpoint"; step: number; path: string }
  | { type: "stopped"; step: number }
  | { type: "done"; step: number };

/**
 * Trains for `config.maxSteps` steps. A step without a live group is counted and reported but updates nothing, and so is one
 * that meets numbers that are not finite. Throws `MulliganError`s of the loop, the engine and the run folder, before the
 * first step what a run would only meet later, and `MulliganError("engine")` when training has diverged.
 */
export async function* train(setup: TrainSetup): AsyncGenerator<TrainEvent, void, undefined> {
  const { config, folder, signal, evaluate } = setup;
  const { engine } = setup.policy;
  const watch = createStopwatch(engine, setup.task);
  const rows = rowsOf(await setup.task.problems("train"));
  const source = createSource({ ...setup, watch, rows });
  requireCapabilities(engine.info, config);
  requireItems((await source.itemsFor(1)).items, config);

  const resumed = setup.resume && folder ? await resumeLatest(folder, engine, config) : undefined;
  let progress: Progress = resumed ?? { step: 0, position: 0, numTokens: 0 };
  // before the first step there is nothing to save: what is resumed then is a run that starts
  let savedStep = progress.step;
  const undo = createUndo(engine, folder);
  const health = await createHealthWatch(config, folder, progress.step);
  /** Could the weights be sampled when it was last tried? Others are never saved. */
  let isSound = true;

  async function* evaluateNow(): AsyncGenerator<TrainEvent> {
    if (!evaluate || config.eval.steps === 0 || signal?.aborted) return;
    try {
      const metrics = await evaluate(progress.step);
      progress = validated(progress, metrics, config);
      yield { type: "evaluation", step: progress.step, metrics };
    } catch (error) {
      if (isNonFinite(error)) {
        throw await diverged(`validation of step ${progress.step}: ${error.message}`, "sampling");
      }
      if (error !== signal?.reason) throw error; // else: it stopped because it was asked to
    }
  }
  const diverged = (message: string, stage: Dropped["stage"]) =>
    divergence(message, { stage, unsampled: progress.step - (progress.skipped ?? 0), folder });
  /** Was a validation due that a stop prevented? */
  const owesEvaluation = () =>
    evaluate !== undefined &&
    (isDue(config.eval.steps) || (config.eval.steps > 0 && progress.step === config.maxSteps)) &&
    progress.evaluated !== undefined &&
    progress.evaluated < progress.step;
  async function* saveNow(): AsyncGenerator<TrainEvent> {
    if (!folder || savedStep === progress.step || !isSound) return;
    progress = withBest(progress, config);
    const path = await saveCheckpoint(folder, engine, progress, config);
    savedStep = progress.step;
    yield { type: "checkpoint", step: progress.step, path };
  }
  /** Keeps the batch, and ends the run where it is of no use to go on. */
  async function* tellDropped(taken: StepTaken & { dropped: Dropped }): AsyncGenerator<TrainEvent> {
    const { step, skipped = 0 } = progress;
    const { stage, reason } = taken.dropped;
    if (folder) await keepSkipped(folder, step, taken);
    yield { type: "warning", step, ...skippedWarning(step, taken.dropped, folder) };
    // weights that cannot be sampled are no trained model either
    if (skipped < config.maxSkippedSteps && (isSound || step < config.maxSteps)) return;
    yield* saveNow();
    const last = skipped === 1 ? "step was" : `${skipped} steps were`;
    const rule = `the last ${last} dropped, maxSkippedSteps is ${config.maxSkippedSteps}`;
    throw await diverged(`step ${step}: ${rule}: ${reason}`, stage);
  }
  const isDue = (every: number) => every > 0 && progress.step % every === 0;

  if (!resumed) yield* evaluateNow();
  else if (owesEvaluation()) {
    yield* evaluateNow();
    // saved again: so it is what a run that was never stopped would have saved
    if (!owesEvaluation()) savedStep = -1;
    yield* saveNow();
  }
  while (progress.step < config.maxSteps && !signal?.aborted) {
    const step = progress.step + 1;
    watch.lap();
    // what an evaluation before it left in caches would show in the last digits, and a resumed run has no such caches
    await watch.engine.forget?.();
    const taken = await takeStep(source, watch.engine, { step, position: progress.position, config, undo });
    const { gathered, tokens, dropped } = taken;
    progress = advance(progress, taken);
    isSound = dropped?.stage !== "sampling";
    const traces = gathered
      ? tracesOf(gathered, { task: setup.task, rows, learnFrom: config.learnFrom, step })
      : [];
    const metrics: Metrics = {
      ...taken.metrics,
      ...episodeMetrics(traces),
      num_tokens: progress.numTokens,
    };
    const times = watch.lap();
    const timings = { ...times, tokens_per_second: tokens / times.step_time };
    yield { type: "step", step, metrics, timings, groups: gathered?.groups ?? [], traces };
    for (const warning of health(metrics)) yield { type: "warning", step, ...warning };
    if (dropped) yield* tellDropped({ ...taken, dropped });
    if (isSound && (isDue(config.eval.steps) || step === config.maxSteps)) yield* evaluateNow();
    if (isDue(config.saveSteps)) yield* saveNow();
  }
  yield* saveNow();
  const isDone = progress.step >= config.maxSteps && !owesEvaluation();
  yield { type: isDone ? "done" : "stopped", step: progress.step };
}

function createSource({
  policy: { chat },
  failures,
  folder,
  config,
  watch,
  rows,
}: TrainSetup & { watch: Stopwatch; rows: Rows }): Source {
  const setup = { policy: { engine: watch.engine, chat }, task: watch.task, config, rows };
  if (config.learnFrom !== "answer") {
    requireRoom(setup.policy, setup.task, failures, rows, config);
    return episodeSource(setup, createFailureFeed(setup, failures, folder));
  }
  // the problems that failures would be collected from: every way to learn sees the same data
  return attemptSource({ ...setup, rows: new Map([...rows].slice(0, config.collect.maxProblems)) });
}

/** What the verifier says of the retries, whatever the reward was, and how many reflections give a solution away. */
function episodeMetrics(traces: readonly Trace[]): Metrics {
  const episodes = traces.flatMap((trace) => (trace.kind === "reflections" ? trace.episodes : []));
  const verdicts = episodes.flatMap(({ retries }) => retries.map(({ verdict }) => verdict));
  const rescueRate = meanSolved(verdicts);
  const leaks = episodes.map((episode) => episode.leaks).filter((leak) => leak !== undefined);
  return {
    ...(rescueRate !== null && { "rescue/rate": rescueRate }),
    ...(leaks.length > 0 && { "reflection/leak_rate": leaks.filter(Boolean).length / leaks.length }),
  };
}

function advance({ skipped = 0, ...progress }: Progress, { position, tokens, dropped }: StepTaken): Progress {
  const numTokens = progress.numTokens + tokens;
  const next = { ...progress, step: progress.step + 1, position, numTokens };
  return dropped ? { ...next, skipped: skipped + 1 } : next;
}
