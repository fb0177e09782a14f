/**
 * The folder of one run: where each file lies, and the rule that a run never overwrites another by accident.
 * Whatever has a final name is complete. Must not know what the files hold.
 */
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { unwritable, writeAtomic } from "../core/atomic-file.ts";
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
  /** The trained model as a Hugging Face folder. */
  readonly model: string;
  /** Text file that names the newest complete checkpoint. */
  readonly latest: string;
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
  model: "model",
  latest: "latest",
} as const;

const CHECKPOINT = /^checkpoint-\d+(\.tmp)?$/;
const isOfARun = (name: string) =>
  (Object.values(FILES) as string[]).includes(name) ||
  CHECKPOINT.test(name) ||
  /\.jsonl?\.\d+\.tmp$/.test(name);

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
  const old = await makeWritable(dir);
  const run = old.filter(isOfARun);
  if (resume && !run.includes(FILES.config)) {
    throw new MulliganError("config", `resume: ${dir} must hold a run, got no ${FILES.config}`, {
      hint: "name the folder of the run with --output-dir, or leave --resume out to start one",
    });
  }
  if (clean) requireRun(dir, run);
  if (run.length > 0 && !resume && !clean) {
    throw new MulliganError("io", `outputDir: must not hold another run, got "${dir}"`, {
      hint: "continue it with --resume, remove it with --clean, or choose another folder with --output-dir",
    });
  }
  if (clean) await Promise.all(run.map((name) => rm(join(dir, name), { recursive: true, force: true })));
  return folder;
}

/** A model's folder has a config.json too, and a project may have its models in model/: no run, not ours to remove. */
function requireRun(dir: string, names: readonly string[]): void {
  const isRun = [FILES.failures, FILES.journal].some((name) => names.includes(name));
  if (names.length === 0 || (names.includes(FILES.config) && isRun)) return;
  throw new MulliganError("io", `clean: ${dir} must hold a run, got only ${names.join(", ")}`, {
    hint: "choose another folder with --output-dir, or remove the files yourself",
  });
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

/** Fills a checkpoint under a temporary name, renames it, then points `latest` at it. Returns its path. */
export async function writeCheckpoint(
  folder: RunFolder,
  step: number,
  fill: (dir: string) => Promise<void>,
): Promise<string> {
  const path = checkpointAt(folder, step);
  const temporary = `${path}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  try {
    await mkdir(temporary, { recursive: true });
    await fill(temporary);
    await rm(path, { recursive: true, force: true });
    await rename(temporary, path);
    await writeAtomic(folder.latest, `checkpoint-${step}\n`);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw cause instanceof MulliganError ? cause : unwritable(path, cause);
  }
  return path;
}

/** The newest complete checkpoint, or undefined when the run has none yet. */
export async function latestCheckpoint(
  folder: RunFolder,
): Promise<{ step: number; path: string } | undefined> {
  const name = await readTextFile(folder.latest).catch(() => "");
  const step = /^checkpoint-(\d{1,15})\s*$/.exec(name)?.[1];
  return step === undefined ? undefined : { step: Number(step), path: checkpointAt(folder, Number(step)) };
}

/** Writes indented JSON, whole or not at all. Throws `MulliganError("io")`. */
export async function writeJsonAtomic(path: string, value: unknown): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Creates the folder, proves that a file can be written into it and returns the names that were there. */
async function makeWritable(dir: string): Promise<string[]> {
  // asking for permission would not notice a full or read-only disk
  const probe = join(dir, `.mulligan-${process.pid}.tmp`);
  try {
    await mkdir(dir, { recursive: true });
    const names = await readdir(dir);
    await writeFile(probe, "");
    await rm(probe);
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
  return cause instanceof Error ? cause.message : String(cause);
}
