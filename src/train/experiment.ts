/**
 * A whole run: collect failures, evaluate the starting model, train, evaluate again on the same failures, compare.
 * Every stage leaves its product in the run folder, so that a resumed run goes on where it stopped.
 */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { writeAtomic } from "../core/atomic-file.ts";
import { remove } from "../core/disk.ts";
import type { Failure } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import { reach } from "../core/fault.ts";
import { appendJsonl } from "../core/jsonl.ts";
import type { Problem } from "../core/task.ts";
import {
  type Comparison,
  compareEvaluations,
  type Evaluation,
  type Example,
  evaluatePolicy,
  failuresOf,
  type Progress,
  pickExamples,
  renderReport,
  summarize,
} from "../evaluate/index.ts";
import type { Outcome } from "../log/logger.ts";
import { openLoggers } from "../log/loggers.ts";
import { rowsOf } from "../loop/verdicts.ts";
import { stepBefore, verifyCheckpoint } from "../store/checkpoints.ts";
import { recordStart } from "../store/environment.ts";
import { type FailureSet, loadFailures, saveFailures } from "../store/failures.ts";
import { requireIntactLogs } from "../store/intact-logs.ts";
import { removeEnd, rewindRun } from "../store/rewind.ts";
import { checkpointAt, latestCheckpoint, type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import { appendTraces } from "../store/traces.ts";
import { readState, requireSameRun, type Progress as TrainProgress } from "./checkpoint.ts";
import { type CollectEvent, collectRun } from "./collect-run.ts";
import type { MulliganConfig } from "./config.ts";
import { exportModel } from "./export.ts";
import { beginFork, type Fork } from "./fork.ts";
import { requireKnown } from "./preflight.ts";
import { evaluationDecoding } from "./sampling.ts";
import { readEvaluation, readRunConfig } from "./saved-run.ts";
import type { Setup } from "./setup.ts";
import { describeStart } from "./start.ts";
import { type TrainEvent, train } from "./trainer.ts";

export type ExperimentEvent =
  | CollectEvent
  | ({ type: "evaluating" } & Progress)
  | TrainEvent
  /** A logger could not deliver; the run goes on. */
  | { type: "logging"; message: string };

export interface ExperimentOptions {
  folder: RunFolder;
  /** Collected before; default: collect now. */
  failures?: FailureSet;
  resume?: boolean;
  /** Go on from a checkpoint of another run, by default with its failures. */
  fork?: Fork;
  /** With `resume`: an older checkpoint of the run to go on from. */
  from?: string;
  signal?: AbortSignal;
  onEvent?: (event: ExperimentEvent) => void;
}

export interface Results {
  comparison: Comparison;
  examples: Example[];
}

/**
 * Runs all stages, and tells the loggers that `reportTo` names. Returns undefined when the signal stopped training, throws
 * its reason when it stopped collecting or an evaluation: resume goes on from what is in the folder.
 */
export async function runExperiment(setup: Setup, given: ExperimentOptions): Promise<Results | undefined> {
  const options = await forked(setup, given);
  const { folder, resume, signal, onEvent = () => {} } = options;
  if (resume) await goBack(setup, options);
  const loggers = openLoggers({
    reportTo: setup.config.reportTo,
    settings: setup.config,
    runName: basename(folder.dir),
    resumedFrom: resume ? ((await latestCheckpoint(folder))?.step ?? 0) : undefined,
    paths: folder,
    env: process.env,
    now: Date.now,
    warn: (message) => onEvent({ type: "logging", message }),
  });
  const tell = (event: ExperimentEvent) => {
    loggers.log(
      event.type === "step" ? { ...event, metrics: { ...event.metrics, ...event.timings } } : event,
    );
    onEvent(event);
  };
  let outcome: Outcome = "failed";
  try {
    const results = await runStages(setup, { ...options, onEvent: tell });
    outcome = results ? "finished" : "stopped";
    return results;
  } finally {
    await loggers.close(signal?.aborted ? "stopped" : outcome);
  }
}

/** The folder as it was at the checkpoint that the run goes on from. */
async function goBack({ config }: Setup, { folder, from }: ExperimentOptions): Promise<void> {
  await requireOwnSettings(folder, config);
  const step = from === undefined ? (await latestCheckpoint(folder))?.step : await stepBefore(folder, from);
  // all that may be wrong is found before anything changes
  const { evaluated } = step === undefined ? {} : await requireWhole(folder, step, config);
  if (from !== undefined) await writeAtomic(folder.latest, `checkpoint-${step}\n`);
  await writeJsonAtomic(folder.config, config); // what may change has changed
  await rewindRun(folder, evaluated);
  if ((step ?? 0) < config.maxSteps) await removeEnd(folder);
}

/** Can a run go on from its checkpoint? */
async function requireWhole(
  folder: RunFolder,
  step: number,
  { maxSteps }: MulliganConfig,
): Promise<TrainProgress> {
  await verifyCheckpoint(checkpointAt(folder, step));
  await requireIntactLogs(folder, step);
  if (maxSteps >= step) return readState(folder, step);
  throw new MulliganError(
    "config",
    `maxSteps: must be at least the ${step} steps that are done, got ${maxSteps}`,
    {
      hint: "raise --max-steps, or go back with --from",
    },
  );
}

async function runStages(setup: Setup, options: ExperimentOptions): Promise<Results | undefined> {
  const { config } = setup;
  const { folder, resume = false, signal, onEvent = () => {} } = options;
  const failures = await failuresFor(setup, options);
  const start = await startEvaluation(setup, options);

  const validate = createValidation(setup, options);
  const stage2 = train({ ...setup, failures, folder, resume, evaluate: validate, ...(signal && { signal }) });
  for await (const event of stage2) {
    await record(folder, event);
    onEvent(event);
    if (event.type === "stopped") return undefined;
  }

  await exportModel(setup, folder.model);
  const trained = await evaluate(setup, setup.problems.test, {
    controls: true,
    fixedFailures: failuresOf(start),
    signal,
    onProgress: (progress) => onEvent({ type: "evaluating", ...progress }),
  });
  await writeJsonAtomic(folder.testTrained, trained);
  await tellOf(folder, config.maxSteps, "test", summarize(trained));
  const comparison = compareEvaluations(start, trained, {
    seed: config.eval.seed,
    bootstrap: config.eval.bootstrap,
  });
  await writeJsonAtomic(folder.results, comparison);
  await writeAtomic(folder.report, `${renderReport(comparison, "markdown")}\n`);
  return { comparison, examples: pickExamples(start, trained) };
}

/** A run that was forked is one to resume. */
async function forked(setup: Setup, options: ExperimentOptions): Promise<ExperimentOptions> {
  const { fork, failures, folder } = options;
  if (!fork) return options;
  await beginFork(fork, folder, { setup, failures: failures ?? (await loadFailures(fork.run.failures)) });
  return { ...options, resume: true };
}

async function failuresFor(setup: Setup, options: ExperimentOptions): Promise<readonly Failure[]> {
  const { folder, resume } = options;
  const isCopied = resume && existsSync(folder.failures);
  if (resume && !options.fork && options.failures && (isCopied || existsSync(folder.journal))) {
    throw new MulliganError("config", "failures: must be left out of a run that has its own and goes on", {
      hint: "leave --failures out, or start another run with --output-dir",
    });
  }
  const kept = isCopied ? await loadFailures(folder.failures) : options.failures;
  if (resume && !kept && !existsSync(folder.journal)) {
    throw new MulliganError("config", `resume: ${folder.dir} must hold failures, got none`, {
      hint: "it was begun with --failures and killed before it had copied them: give them again",
    });
  }
  if (!kept) return (await collectRun(setup, options)).failures;
  requireKnown(kept.failures, rowsOf(await setup.task.problems("train")), setup.policy);
  const { step = 0 } = (await latestCheckpoint(folder)) ?? {};
  if (!options.fork) await recordStart(folder, await describeStart(setup, step));
  if (!isCopied) {
    await writeJsonAtomic(folder.config, setup.config);
    await saveFailures(folder.failures, kept);
  }
  await remove(folder.journal);
  return kept.failures;
}

/** Throws `MulliganError("config")` unless the settings are those that the folder's run began with. */
export async function requireOwnSettings(folder: RunFolder, config: MulliganConfig): Promise<void> {
  requireSameRun(await readRunConfig(folder), config);
}

/** Evaluations during training: on the failures that the starting model made, so that the curve is comparable. */
function createValidation(
  setup: Setup,
  { folder, signal }: ExperimentOptions,
): (step: number) => Promise<Record<string, number>> {
  return async (step) => {
    // a run that began with eval.steps 0 has none: it then reflects on its own failures
    const hasStart = step > 0 && existsSync(folder.validationStart);
    const fixed = hasStart && { fixedFailures: failuresOf(await readEvaluation(folder.validationStart)) };
    const evaluation = await evaluate(setup, setup.problems.validation, {
      controls: false,
      signal,
      ...fixed,
    });
    if (step === 0) await writeJsonAtomic(folder.validationStart, evaluation);
    const metrics = summarize(evaluation);
    await tellOf(folder, step, "validation", metrics);
    return metrics;
  };
}

/** Of the starting model on the test problems; its failures are what both models are compared on. */
async function startEvaluation(setup: Setup, options: ExperimentOptions): Promise<Evaluation> {
  const { folder, resume, signal, onEvent = () => {} } = options;
  const isKept = resume && existsSync(folder.testStart);
  const evaluation = isKept
    ? await readEvaluation(folder.testStart)
    : await evaluate(setup, setup.problems.test, {
        controls: true,
        signal,
        onProgress: (progress) => onEvent({ type: "evaluating", ...progress }),
      });
  if (!isKept) await writeJsonAtomic(folder.testStart, evaluation);
  // a run that was killed between the two has the file and not the line, which comes before all others
  const isTold = existsSync(folder.evaluations) && (await stat(folder.evaluations)).size > 0;
  if (!isTold) await tellOf(folder, 0, "test", summarize(evaluation));
  return evaluation;
}

/** Few lines, each of much work, and the last comes after the last checkpoint: so they are synced one by one. */
async function tellOf(
  folder: RunFolder,
  step: number,
  split: "validation" | "test",
  metrics: Record<string, number>,
): Promise<void> {
  await appendJsonl(folder.evaluations, { step, split, ...metrics }, { sync: true });
}

interface EvaluateOptions {
  controls: boolean;
  fixedFailures?: readonly Failure[];
  signal: AbortSignal | undefined;
  onProgress?: (progress: Progress) => void;
}

/** evaluatePolicy with the decoding and seed of the configuration, from empty caches: a resumed run has no others. */
export async function evaluate(
  { config, policy, task }: Setup,
  problems: readonly Problem[],
  { signal, ...options }: EvaluateOptions,
): Promise<Evaluation> {
  reach("evaluate");
  await policy.engine.forget?.();
  return evaluatePolicy(policy, task, problems, {
    decoding: evaluationDecoding(config),
    seed: config.eval.seed,
    ...options,
    ...(signal && { signal }),
  });
}

async function record(folder: RunFolder, event: TrainEvent): Promise<void> {
  if (event.type === "warning") {
    const { step, kind, message, hint } = event;
    return appendJsonl(folder.warnings, { step, kind, message, hint });
  }
  if (event.type !== "step") return;
  const { step, metrics, timings, traces } = event;
  await appendTraces(folder.traces, traces);
  await appendJsonl(folder.timings, { step, ...timings });
  await appendJsonl(folder.metrics, { step, ...metrics });
}
