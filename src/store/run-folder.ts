/**
 * The folder of one run: where each file lies, and the rule that a run never overwrites another by accident.
 * Whatever has a final name is complete. Must not know what the files hold.
 */
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { LEFTOVER, removeWhole, writeAtomic, writeFolder } from "../core/atomic-file.ts";
import { codeOf, makeFolder, remove, rename, syncFile, syncFolder } from "../core/disk.ts";
import { MulliganError } from "../core/errors.ts";
import { readTextFile } from "../core/json-file.ts";
import { whileLocked } from "./run-lock.ts";

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

const FILES = {
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

/** Lies where a run is being removed, or copied from another one: it goes last, so that what is there is known to be ours. */
const UNFINISHED = ".mulligan-unfinished";
const PROBE = ".mulligan";
const isOfARun = (name: string) =>
  (Object.values(FILES) as string[]).includes(name) || /^checkpoint-\d+$/.test(name) || name === UNFINISHED;
/** What a process that was killed had not finished: `config.json.PID.tmp`, `checkpoint-3.PID.tmp`. */
const isLeftover = (name: string) => {
  const finished = name.replace(LEFTOVER, "").replace(/\.(old|stale)$/, "");
  return LEFTOVER.test(name) && (isOfARun(finished) || [PROBE, "run.lock"].includes(finished));
};

/**
 * Does the work with a folder that is ready for a run, as `createRunFolder` makes it, while no other process may write into
 * it. Throws what that throws, what the work throws, and `MulliganError("io")` when another process holds the folder.
 */
export async function inRunFolder<T>(
  dir: string,
  options: RunFolderOptions,
  work: (folder: RunFolder) => Promise<T>,
): Promise<T> {
  await makeWritable(dir);
  return whileLocked(resolve(dir), async () => work(await createRunFolder(dir, options)));
}

/** The paths inside a run folder; touches nothing. */
export function runFolderAt(dir: string): RunFolder {
  const root = resolve(dir);
  const paths = Object.entries(FILES).map(([key, name]) => [key, join(root, name)]);
  return { dir: root, ...Object.fromEntries(paths) };
}

/**
 * Makes a folder ready for a run, before anything is computed. Throws `MulliganError("io")` when it cannot be written
 * or holds another run, `MulliganError("config")` when there is nothing to resume.
 */
export async function createRunFolder(dir: string, options: RunFolderOptions = {}): Promise<RunFolder> {
  const { resume = false, clean = false } = options;
  if (resume && clean) {
    throw new MulliganError("config", "resume, clean: must not be given together", {
      hint: "--resume continues the run, --clean removes it and starts again",
    });
  }
  const folder = runFolderAt(dir);
  const names = await makeWritable(dir);
  const run = names.filter(isOfARun);
  requireRightToWrite(dir, run, options);
  if (clean && isThere(run)) await removeRun(dir, run);
  await removeLeftovers(folder, names);
  return folder;
}

/** These come before the settings: without them they are of a run that was killed when it had hardly begun. */
const BEFORE_SETTINGS: readonly string[] = [FILES.environment, FILES.journal];
const isThere = (run: readonly string[]) =>
  run.includes(FILES.config) || run.some((name) => !BEFORE_SETTINGS.includes(name));

/** Would createRunFolder take this folder? Touches nothing. Throws what it throws of a run that is there. */
export async function requireUsable(dir: string, options: RunFolderOptions = {}): Promise<void> {
  const names = await readdir(dir).catch((): string[] => []);
  requireRightToWrite(dir, names.filter(isOfARun), options);
}

/** `run`: files of a run that are there. */
function requireRightToWrite(
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

/** Killed in the middle, it can be asked for again. */
async function removeRun(dir: string, names: readonly string[]): Promise<void> {
  // a model's folder has a config.json too, and a project may have its models in model/: no run, not ours to remove
  const isRun =
    [FILES.failures, FILES.journal].some((name) => names.includes(name)) ||
    (await isEnvironment(join(dir, FILES.environment)));
  if (!names.includes(UNFINISHED) && !(names.includes(FILES.config) && isRun)) {
    throw new MulliganError("io", `clean: ${dir} must hold a run, got only ${names.join(", ")}`, {
      hint: "choose another folder with --output-dir, or remove the files yourself",
    });
  }
  await whileUnfinished(dir, async () => {
    for (const name of names) if (name !== UNFINISHED) await removeWhole(join(dir, name));
  });
}

/** A run that is killed during this work is no run, and can be removed. */
export async function whileUnfinished(dir: string, work: () => Promise<void>): Promise<void> {
  await writeAtomic(join(dir, UNFINISHED), "");
  await work();
  await remove(join(dir, UNFINISHED));
}

/** Did a run write it? Others may have a file of that name. */
async function isEnvironment(path: string): Promise<boolean> {
  return readTextFile(path).then(
    (text) => /^\{\s*"version": \d+,\s*"starts": \[/.test(text),
    () => false,
  );
}

/** What processes that were killed had not finished goes; none lives that writes into this folder. */
async function removeLeftovers(
  { dir, refreshed, skipped }: RunFolder,
  names: readonly string[],
): Promise<void> {
  for (const name of names.filter(isLeftover)) {
    const replaced = /^(checkpoint-\d+)\.old\.\d+\.tmp$/.exec(name)?.[1];
    // it had stepped aside for another, which did not come
    if (replaced !== undefined && !existsSync(join(dir, replaced)))
      await rename(join(dir, name), join(dir, replaced));
    else await remove(join(dir, name));
  }
  for (const folder of [refreshed, skipped]) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (/^(failures|step)-\d+\.jsonl?\./.test(name) && LEFTOVER.test(name))
        await remove(join(folder, name));
    }
  }
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
    throw new MulliganError("checkpoint", `${folder.latest}: cannot be read: ${reasonOf(error)}`);
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

/** Creates the folder, proves that a file can be written into it and returns the names that were there. */
async function makeWritable(dir: string): Promise<string[]> {
  // asking for permission would not notice a full or read-only disk
  const probe = join(dir, `${PROBE}.${process.pid}.tmp`);
  try {
    const made = await makeFolder(dir);
    if (made !== undefined) await syncFolder(dirname(made));
    const names = await readdir(dir);
    await writeFile(probe, "");
    await remove(probe);
    return names;
  } catch (cause) {
    throw new MulliganError(
      "io",
      `outputDir: must be a folder that can be written, got "${dir}" (${reasonOf(cause)})`,
      {
        hint: "choose another folder with --output-dir, or change its permissions",
        cause,
      },
    );
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof MulliganError) return reasonOf(cause.cause);
  return cause instanceof Error ? cause.message : String(cause);
}
