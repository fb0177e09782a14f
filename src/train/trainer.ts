/**
 * Stage 2 of the method as a stream of events: sample groups, build a batch, update, report, again. A step is never
 * left half done: stopping and resuming give the run that was never stopped.
 */
import type { Failure, Group } from "../core/episode.ts";
import { isNonFinite, isStop } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { Trace } from "../core/trace.ts";
import type { Engine } from "../engine/contract.ts";
import type { Warning } from "../learn/health/health.ts";
import type { Metrics, Timings } from "../learn/metric-names.ts";
import type { Policy } from "../loop/policy.ts";
import { type Rows, rowsOf } from "../loop/verdicts.ts";
import type { RunFolder } from "../store/run-folder.ts";
import { resumeLatest, saveCheckpoint, type TrainerState, validated, withBest } from "./checkpoint.ts";
import type { MulliganConfig } from "./config.ts";
import { createHealthWatch } from "./health-watch.ts";
import { requireCapabilities, requireItems, requireRoom } from "./preflight.ts";
import { createFailureFeed } from "./refresh.ts";
import { divergence, keepSkipped, skippedWarning } from "./skipped.ts";
import { attemptSource, episodeSource, type Source } from "./source.ts";
import { type Dropped, type StepTaken, takeStep } from "./step.ts";
import { createStopwatch, type Stopwatch } from "./stopwatch.ts";
import { episodeMetrics, tracesOf } from "./traces.ts";
import { createUndo, type Undo } from "./undo.ts";

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

/** A run under way. */
interface Run extends TrainSetup {
  watch: Stopwatch;
  rows: Rows;
  source: Source;
  undo: Undo;
  health: (metrics: Metrics) => Warning[];
  /** Where it stands. */
  state: TrainerState;
  /** The step of the newest checkpoint. */
  savedStep: number;
  /** Could the weights be sampled when it was last tried? Others are never saved. */
  isSound: boolean;
}

/**
 * Trains for `config.maxSteps` steps. A step without a live group is counted and reported but updates nothing, and so is one
 * that meets numbers that are not finite. Throws `MulliganError`s of the loop, the engine and the run folder, before the
 * first step what a run would only meet later, and `MulliganError("engine")` when training has diverged.
 */
export async function* train(setup: TrainSetup): AsyncGenerator<TrainEvent, void, undefined> {
  const { config, signal } = setup;
  const run = await startRun(setup);
  if (run.state.step === 0) yield* validate(run);
  else if (owesValidation(run)) {
    yield* validate(run);
    // saved again: so it is what a run that was never stopped would have saved
    if (!owesValidation(run)) run.savedStep = -1;
    yield* save(run);
  }
  while (run.state.step < config.maxSteps && !signal?.aborted) {
    yield* nextStep(run);
    if (run.isSound) yield* validate(run);
    if (config.saveSteps > 0 && run.state.step % config.saveSteps === 0) yield* save(run);
  }
  yield* save(run);
  const isDone = run.state.step >= config.maxSteps && !owesValidation(run);
  yield { type: isDone ? "done" : "stopped", step: run.state.step };
}

async function startRun(setup: TrainSetup): Promise<Run> {
  const { config, folder, task } = setup;
  const { engine } = setup.policy;
  const watch = createStopwatch(engine, task);
  const rows = rowsOf(await task.problems("train"));
  const source = createSource({ ...setup, watch, rows });
  requireCapabilities(engine.info, config);
  requireItems((await source.itemsFor(1)).items, config);

  const resumed = setup.resume && folder ? await resumeLatest(folder, engine, config) : undefined;
  const state = resumed ?? { step: 0, position: 0, numTokens: 0 };
  const undo = createUndo(engine, folder);
  const health = await createHealthWatch(config, folder, state.step);
  // before the first step there is nothing to save: what is resumed then is a run that starts
  return { ...setup, watch, rows, source, undo, health, state, savedStep: state.step, isSound: true };
}

async function* nextStep(run: Run): AsyncGenerator<TrainEvent> {
  const { config, source, undo, task, rows, watch } = run;
  const step = run.state.step + 1;
  watch.lap();
  // what an evaluation before it left in caches would show in the last digits, and a resumed run has no such caches
  await watch.engine.forget?.();
  const taken = await takeStep(source, watch.engine, { step, position: run.state.position, config, undo });
  const { gathered, tokens, dropped } = taken;
  run.state = advance(run.state, taken);
  run.isSound = dropped?.stage !== "sampling";
  const traces = gathered ? tracesOf(gathered, { task, rows, learnFrom: config.learnFrom, step }) : [];
  const metrics = { ...taken.metrics, ...episodeMetrics(traces), num_tokens: run.state.numTokens };
  const times = watch.lap();
  const timings = { ...times, tokens_per_second: tokens / times.step_time };
  yield { type: "step", step, metrics, timings, groups: gathered?.groups ?? [], traces };
  for (const warning of run.health(metrics)) yield { type: "warning", step, ...warning };
  if (dropped) yield* tellDropped(run, { ...taken, dropped });
}

/** Keeps the batch, and ends the run where it is of no use to go on. */
async function* tellDropped(run: Run, taken: StepTaken & { dropped: Dropped }): AsyncGenerator<TrainEvent> {
  const { folder, config, isSound } = run;
  const { step, skipped = 0 } = run.state;
  const { stage, reason } = taken.dropped;
  if (folder) await keepSkipped(folder, step, taken);
  yield { type: "warning", step, ...skippedWarning(step, taken.dropped, folder) };
  // weights that cannot be sampled are no trained model either
  if (skipped < config.maxSkippedSteps && (isSound || step < config.maxSteps)) return;
  yield* save(run);
  const last = skipped === 1 ? "step was" : `${skipped} steps were`;
  const rule = `the last ${last} dropped, maxSkippedSteps is ${config.maxSkippedSteps}`;
  throw await diverged(run, `step ${step}: ${rule}: ${reason}`, stage);
}

/** Validates where it is due. */
async function* validate(run: Run): AsyncGenerator<TrainEvent> {
  const { evaluate, config, signal } = run;
  if (!evaluate || !isValidationDue(run) || signal?.aborted) return;
  const { step } = run.state;
  try {
    const metrics = await evaluate(step);
    run.state = validated(run.state, metrics, config);
    yield { type: "evaluation", step, metrics };
  } catch (error) {
    if (isNonFinite(error)) {
      throw await diverged(run, `validation of step ${step}: ${error.message}`, "sampling");
    }
    if (!isStop(error, signal)) throw error;
  }
}

function isValidationDue({ state: { step }, config }: Run): boolean {
  const every = config.eval.steps;
  return every > 0 && (step % every === 0 || step === config.maxSteps);
}

/** Was a validation due that a stop prevented? */
function owesValidation(run: Run): boolean {
  const { evaluated, step } = run.state;
  return run.evaluate !== undefined && isValidationDue(run) && evaluated !== undefined && evaluated < step;
}

async function* save(run: Run): AsyncGenerator<TrainEvent> {
  const { folder, policy, config } = run;
  const { step } = run.state;
  if (!folder || run.savedStep === step || !run.isSound) return;
  run.state = withBest(run.state, config);
  const path = await saveCheckpoint(folder, policy.engine, run.state, config);
  run.savedStep = step;
  yield { type: "checkpoint", step, path };
}

function diverged({ state, folder }: Run, message: string, stage: Dropped["stage"]) {
  return divergence(message, { stage, unsampled: state.step - (state.skipped ?? 0), folder });
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

function advance(
  { skipped = 0, ...state }: TrainerState,
  { position, tokens, dropped }: StepTaken,
): TrainerState {
  const next = { ...state, step: state.step + 1, position, numTokens: state.numTokens + tokens };
  return dropped ? { ...next, skipped: skipped + 1 } : next;
}
