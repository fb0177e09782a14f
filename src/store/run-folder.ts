/**
 * The folder of one run: where each file lies, and the rule that a run never overwrites another by accident.
 * Whatever has a final name is complete. Must not know what the files hold.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { writeAtomic, writeFolder } from "../core/atomic-file.ts";
import { codeOf, syncFile } from "../core/disk.ts";
import { MulliganError } from "../core/errors.ts";
import { readTextFile } from "../core/json-file.ts";

export interface RunFolder {
  readonly dir: string;
  /** The resolved configuration. */
  readonly config: string;
  /** What computed the run, start by start. */
  readonly environment: string;
  /** One object per optimiser step, without any reading of a clock. */
  readonly metrics: string;
  /** The clock's readings of each step. */
  readonly timings: string;
  readonly failures: string;
  /** Stage 1 while it is under way. */
  readonly journal: string;
  /** Stage 1 in numbers. */
  readonly summary: string;
  /** Holds what training collected anew. */
  readonly refreshed: string;
  /** Every group of every step. */
  readonly traces: string;
  /** What training warned of. */
  readonly warnings: string;
  /** Holds the batches of dropped steps. */
  readonly skipped: string;
  /** The training state before a step of several iterations, while it is under way. */
  readonly beforeStep: string;
  readonly evaluations: string;
  /** Every outcome of the starting model on the validation problems. */
  readonly validationStart: string;
  /** Every outcome of the starting model on the test problems, and of the trained one. */
  readonly testStart: string;
  readonly testTrained: string;
  /** Both compared: rates, gains, intervals. */
  readonly results: string;
  /** The reflector × retrier swap, once somebody asked for it. */
  readonly swap: string;
  /** First tries on other tasks, once somebody asked for them. */
  readonly transfer: string;
  /** The results as two tables for people. */
  readonly report: string;
  /** The whole run as a page to look at. */
  readonly reportPage: string;
  /** The trained model as a Hugging Face folder. */
  readonly model: string;
  /** Text file that names the newest complete checkpoint. */
  readonly latest: string;
  /** Text file that names the checkpoint with the best validation. */
  readonly best: string;
  /** Folder of TensorBoard's event files, and which run of an MLflow server is this one. */
  readonly tensorboard: string;
  readonly mlflow: string;
}

export interface RunFolderOptions {
  /** Continue the run that is there. */
  resume?: boolean;
  /** Remove the run that is there; other files stay. */
  clean?: boolean;
}

export const FILES = {
  config: "config.json",
  environment: "environment.json",
  metrics: "metrics.jsonl",
  timings: "timings.jsonl",
  failures: "failures.jsonl",
  journal: "collecting.jsonl",
  summary: "collect.json",
  refreshed: "refreshed",
  traces: "traces.jsonl",
  warnings: "warnings.jsonl",
  skipped: "skipped",
  beforeStep: "before-step",
  evaluations: "evaluations.jsonl",
  validationStart: "validation-start.json",
  testStart: "test-start.json",
  testTrained: "test-trained.json",
  results: "results.json",
  swap: "swap.json",
  transfer: "transfer.json",
  report: "report.md",
  reportPage: "report.html",
  model: "model",
  latest: "latest",
  best: "best",
  tensorboard: "tensorboard",
  mlflow: "mlflow.json",
} as const;

/** Files that grow by a line at a time, told apart from those that are written whole. */
export const logsOf = ({ metrics, timings, traces, evaluations, warnings }: RunFolder) => [
  metrics,
  timings,
  traces,
  evaluations,
  warnings,
];

/** The paths inside a run folder; touches nothing. */
export function runFolderAt(dir: string): RunFolder {
  const root = resolve(dir);
  const paths = Object.entries(FILES).map(([key, name]) => [key, join(root, name)]);
  return { dir: root, ...Object.fromEntries(paths) };
}

/** The folder of a complete checkpoint. */
export function checkpointAt(folder: RunFolder, step: number): string {
  return join(folder.dir, `checkpoint-${step}`);
}

/** The failures that training collected before a step. */
export function refreshedAt(folder: RunFolder, step: number): string {
  return join(folder.refreshed, `failures-${step}.jsonl`);
}

/** The batch of a dropped step. */
export function skippedAt(folder: RunFolder, step: number): string {
  return join(folder.skipped, `step-${step}.json`);
}

/** Lies where a run is being removed, or copied from another one: it goes last, so that what is there is known to be ours. */
export const UNFINISHED = ".mulligan-unfinished";
/** Is it the name of something that a run leaves in its folder? */
export const isOfARun = (name: string) =>
  (Object.values(FILES) as string[]).includes(name) || /^checkpoint-\d+$/.test(name) || name === UNFINISHED;

/** These come before the settings: without them they are of a run that was killed when it had hardly begun. */
const BEFORE_SETTINGS: readonly string[] = [FILES.environment, FILES.journal];
/** Do these names make a run? */
export const isThere = (run: readonly string[]) =>
  run.includes(FILES.config) || run.some((name) => !BEFORE_SETTINGS.includes(name));

/** Would createRunFolder take this folder? Touches nothing. Throws what it throws of a run that is there. */
export async function requireUsable(dir: string, options: RunFolderOptions = {}): Promise<void> {
  const names = await readdir(dir).catch((): string[] => []);
  requireRightToWrite(dir, names.filter(isOfARun), options);
}

/** `run`: files of a run that are there. */
export function requireRightToWrite(
  dir: string,
  run: readonly string[],
  { resume = false, clean = false }: RunFolderOptions,
): void {
  if (run.includes(UNFINISHED) && !clean) {
    throw new MulliganError("io", `outputDir: must hold a whole run or none, got a part of one in "${dir}"`, {
      hint: "removing it with --clean, or copying it with --fork, was cut short: do it again, with --clean",
    });
  }
  if (resume && !run.includes(FILES.config)) {
    throw new MulliganError("config", `resume: ${dir} must hold a run, got no ${FILES.config}`, {
      hint: "name the folder of the run with --output-dir, or leave --resume out to start one",
    });
  }
  if (isThere(run) && !resume && !clean) {
    throw new MulliganError("io", `outputDir: must not hold another run, got "${dir}"`, {
      hint: "continue it with --resume, remove it with --clean, or choose another folder with --output-dir",
    });
  }
}

/**
 * Fills a checkpoint under a temporary name, renames it, then points `latest` at it. The logs are synced before: a resumed
 * run takes them for whole up to the checkpoint. Returns its path. Throws `MulliganError("io")`.
 */
export async function writeCheckpoint(
  folder: RunFolder,
  step: number,
  fill: (dir: string) => Promise<void>,
): Promise<string> {
  const path = checkpointAt(folder, step);
  await writeFolder(path, fill);
  for (const log of logsOf(folder)) if (existsSync(log)) await syncFile(log);
  await writeAtomic(folder.latest, `checkpoint-${step}\n`);
  return path;
}

/** The checkpoint that `latest` names, or undefined when the run has none yet. Throws `MulliganError("checkpoint")`. */
export async function latestCheckpoint(
  folder: RunFolder,
): Promise<{ step: number; path: string } | undefined> {
  const name = await readTextFile(folder.latest).catch((error) => {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "")) return undefined;
    throw new MulliganError("checkpoint", `${folder.latest}: cannot be read: ${(error as Error).message}`);
  });
  if (name === undefined) return undefined;
  const step = /^checkpoint-(\d{1,15})\s*$/.exec(name)?.[1];
  if (step !== undefined) return { step: Number(step), path: checkpointAt(folder, Number(step)) };
  throw new MulliganError(
    "checkpoint",
    `${folder.latest}: must name a checkpoint, got ${JSON.stringify(name.slice(0, 40))}`,
    { hint: "write the name of the newest checkpoint of the folder into it, such as checkpoint-20" },
  );
}

/** Writes indented JSON, whole or not at all. Throws `MulliganError("io")`. */
export async function writeJsonAtomic(path: string, value: unknown): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
