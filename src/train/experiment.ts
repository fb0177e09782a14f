/**
 * A whole run: collect failures, evaluate the starting model, train, evaluate again on the same failures, compare.
 * Every stage leaves its product in the run folder, so that a resumed run goes on where it stopped.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { writeAtomic } from "../core/atomic-file.ts";
import { remove } from "../core/disk.ts";
import type { Failure } from "../core/episode.ts";
import { isStop, MulliganError } from "../core/errors.ts";
import { appendJsonl } from "../core/jsonl.ts";
import {
  type Comparison,
  compareEvaluations,
  type EvaluationProgress,
  type Example,
  pickExamples,
  renderReport,
} from "../evaluate/index.ts";
import type { Outcome } from "../log/logger.ts";
import { type Loggers, openLoggers } from "../log/loggers.ts";
import { rowsOf } from "../loop/verdicts.ts";
import { recordStart } from "../store/environment.ts";
import { type FailureSet, loadFailures, saveFailures } from "../store/failures.ts";
import { latestCheckpoint, type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import { appendTraces } from "../store/traces.ts";
import { type CollectEvent, collectRun } from "./collect-run.ts";
import type { MulliganConfig } from "./config.ts";
import { createValidation, evaluateStart, evaluateTrained } from "./evaluations.ts";
import { exportModel } from "./export.ts";
import { beginFork, type Fork } from "./fork.ts";
import { goBack } from "./go-back.ts";
import { requireKnown } from "./preflight.ts";
import type { Setup } from "./setup.ts";
import { describeStart } from "./start.ts";
import { type TrainEvent, train } from "./trainer.ts";

export type ExperimentEvent =
  | CollectEvent
  | ({ type: "evaluating" } & EvaluationProgress)
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
  const { folder, resume, from, signal, onEvent = () => {} } = options;
  if (resume) await goBack(folder, setup.config, from);
  const loggers = await openRunLoggers(setup.config, options);
  let outcome: Outcome = "failed";
  try {
    const results = await runStages(setup, {
      ...options,
      onEvent(event) {
        loggers.log(loggedOf(event));
        onEvent(event);
      },
    });
    outcome = results ? "finished" : "stopped";
    return results;
  } catch (error) {
    if (isStop(error, signal)) outcome = "stopped";
    throw error;
  } finally {
    await loggers.close(outcome);
  }
}

async function openRunLoggers(
  config: MulliganConfig,
  { folder, resume, onEvent = () => {} }: ExperimentOptions,
): Promise<Loggers> {
  return openLoggers({
    reportTo: config.reportTo,
    settings: config,
    runName: basename(folder.dir),
    resumedFrom: resume ? ((await latestCheckpoint(folder))?.step ?? 0) : undefined,
    paths: folder,
    env: process.env,
    now: Date.now,
    warn: (message) => onEvent({ type: "logging", message }),
  });
}

/** Loggers take the clock's readings for metrics. */
function loggedOf(event: ExperimentEvent) {
  return event.type === "step" ? { ...event, metrics: { ...event.metrics, ...event.timings } } : event;
}

async function runStages(setup: Setup, options: ExperimentOptions): Promise<Results | undefined> {
  const { config } = setup;
  const { folder, resume = false, signal, onEvent = () => {} } = options;
  const failures = await failuresFor(setup, options);
  const start = await evaluateStart(setup, options);

  const validate = createValidation(setup, options);
  const stage2 = train({ ...setup, failures, folder, resume, evaluate: validate, ...(signal && { signal }) });
  for await (const event of stage2) {
    await record(folder, event);
    onEvent(event);
    if (event.type === "stopped") return undefined;
  }

  await exportModel(setup, folder.model);
  const trained = await evaluateTrained(setup, start, options);
  const { seed, bootstrap } = config.eval;
  const comparison = compareEvaluations(start, trained, { seed, bootstrap });
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
