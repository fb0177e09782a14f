/**
 * Another run from a checkpoint: its folder begins as a copy of what the old run was then, with settings of its own, and goes
 * on as any run that is resumed. Steps count on. The old run is only read.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { copyFile, makeFolder } from "../core/disk.ts";
import { MulliganError } from "../core/errors.ts";
import { findCheckpoint, stepOf, verifyCheckpoint } from "../store/checkpoints.ts";
import { recordStart } from "../store/environment.ts";
import { type FailureSet, saveFailures } from "../store/failures.ts";
import { whileUnfinished } from "../store/folder-claim.ts";
import { requireIntactLogs } from "../store/intact-logs.ts";
import { rewindRun } from "../store/rewind.ts";
import {
  checkpointAt,
  type RunFolder,
  refreshedAt,
  runFolderAt,
  writeCheckpoint,
  writeJsonAtomic,
} from "../store/run-folder.ts";
import { readState, STATE_FILES, type TrainerState, writeState } from "./checkpoint.ts";
import type { MulliganConfig } from "./config.ts";
import { refreshBefore } from "./refresh.ts";
import type { Setup } from "./setup.ts";
import { describeStart } from "./start.ts";

export interface Fork {
  /** The run that is left as it is. */
  run: RunFolder;
  /** How many steps it had done. */
  step: number;
}

/** What `--fork` names: a run (its newest checkpoint), run/best, or one checkpoint. Throws `MulliganError("checkpoint")`. */
export async function findFork(name: string): Promise<Fork> {
  const checkpoint = resolve(await findCheckpoint(name));
  const run = runFolderAt(dirname(checkpoint));
  const step = stepOf(checkpoint);
  if (step !== undefined && [checkpoint, run.failures].every((path) => existsSync(path))) {
    return { run, step };
  }
  const rule = "fork: must be a run with a checkpoint, or a checkpoint in a run";
  throw new MulliganError("checkpoint", `${rule}, got "${name}"`, {
    hint: "a run folder holds checkpoint-N folders once it has saved one (--save-steps, or its end)",
  });
}

/**
 * Makes a folder that of a run which has come to the fork's step. The settings come last: without them a folder cannot be
 * resumed. Throws `MulliganError("config")` for settings that cannot go on from there, `MulliganError("checkpoint")` when the
 * checkpoint is damaged, `MulliganError("io")`.
 */
export async function beginFork(
  { run, step }: Fork,
  folder: RunFolder,
  { setup, failures }: { setup: Setup; failures: FailureSet },
): Promise<void> {
  await requireForkable({ run, step }, setup.config);
  await whileUnfinished(folder.dir, () => copyRun({ run, step }, folder, { setup, failures }));
}

/** Throws what beginFork throws of the fork itself, before anything is written. */
export async function requireForkable({ run, step }: Fork, config: MulliganConfig): Promise<void> {
  requireStepsLeft(step, config);
  requireRefreshed(run, step, config);
  await verifyCheckpoint(checkpointAt(run, step));
  await readState(run, step);
  await requireIntactLogs({ ...run, traces: "" }, step); // it takes no traces: gigabytes need not be read
}

async function copyRun(
  { run, step }: Fork,
  folder: RunFolder,
  { setup, failures }: { setup: Setup; failures: FailureSet },
): Promise<void> {
  const { config } = setup;
  const checkpoint = checkpointAt(run, step);
  const { config: old, version: _, ...state } = await readState(run, step);
  await saveFailures(folder.failures, failures);
  const evaluations = isEvaluatedAs(old, config)
    ? (["validationStart", "testStart", "evaluations"] as const)
    : [];
  for (const file of ["metrics", "timings", "warnings", ...evaluations] as const)
    await copyIfThere(run[file], folder[file]);
  await copyRefreshed(run, folder, step);
  await writeCheckpoint(folder, step, async (dir) => {
    for (const name of await readdir(checkpoint)) {
      if (!STATE_FILES.includes(name)) await copyFile(join(checkpoint, name), join(dir, name));
    }
    await writeState(dir, withOwnBest(state, old, config), config);
  });
  await rewindRun(folder, state.evaluated); // the old run may have gone on
  await recordStart(folder, { ...(await describeStart(setup, step)), forkedFrom: checkpoint });
  await writeJsonAtomic(folder.config, config);
}

function requireStepsLeft(step: number, { maxSteps }: MulliganConfig): void {
  if (maxSteps > step) return;
  throw new MulliganError(
    "config",
    `maxSteps: must be more than the ${step} steps that are forked from, got ${maxSteps}`,
    {
      hint: "steps count on from the checkpoint: raise --max-steps, or fork an earlier checkpoint",
    },
  );
}

/** Between two refreshes a step learns from failures of weights that are gone. */
function requireRefreshed(run: RunFolder, step: number, config: MulliganConfig): void {
  const since = refreshBefore(step + 1, config);
  if (since === 1 || since > step || existsSync(refreshedAt(run, since))) return;
  const { refreshSteps } = config.collect;
  const rule = `collect.refreshSteps: must begin at a refresh, got ${refreshSteps} after ${step} steps`;
  throw new MulliganError("config", rule, {
    hint: `fork a checkpoint whose step is a multiple of ${refreshSteps}, or leave the setting as it was`,
  });
}

/** What the starting model was evaluated on holds for the fork if it would be evaluated in the same way. */
function isEvaluatedAs(old: MulliganConfig, config: MulliganConfig): boolean {
  const aspects = ({ eval: evaluation, ...settings }: MulliganConfig) => {
    const { validationProblems, testProblems, temperature, seed } = evaluation;
    const { model, adapter, quantization, chatTemplateKwargs, task, taskOptions } = settings;
    const { maxAttemptLength, maxCompletionLength } = settings;
    return [
      ...[validationProblems, testProblems, temperature, seed, model, adapter, quantization],
      ...[chatTemplateKwargs, task, taskOptions, maxAttemptLength, maxCompletionLength],
    ];
  };
  return isDeepStrictEqual(aspects(old), aspects(config));
}

/** The old run's best checkpoint stays with the old run, unless it is this one. */
function withOwnBest(
  { best, score, ...state }: TrainerState,
  old: MulliganConfig,
  config: MulliganConfig,
): TrainerState {
  // a score says nothing beside one of another validation
  if (old.metricForBestModel !== config.metricForBestModel || !isEvaluatedAs(old, config)) return state;
  return {
    ...state,
    ...(score !== undefined && { score }),
    ...(best?.step === state.step && { best }),
  };
}

async function copyRefreshed(run: RunFolder, folder: RunFolder, step: number): Promise<void> {
  const names = await readdir(run.refreshed).catch((): string[] => []);
  const steps = names.flatMap((name) => /^failures-(\d+)\.jsonl$/.exec(name)?.[1] ?? []).map(Number);
  if (steps.length > 0) await makeFolder(folder.refreshed);
  for (const since of steps.filter((since) => since <= step)) {
    await copyIfThere(refreshedAt(run, since), refreshedAt(folder, since));
  }
}

async function copyIfThere(from: string, to: string): Promise<void> {
  if (existsSync(from)) await copyFile(from, to);
}
