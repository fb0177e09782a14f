/** Everything about a run but its traces, as its folder tells it. */
import { readdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { MulliganError } from "../../core/errors.ts";
import { shellWord } from "../../core/shell.ts";
import {
  type Comparison,
  type Evaluation,
  SavedEvaluation,
  type SwapCell,
  type TransferRow,
} from "../../evaluate/index.ts";
import { stepOf } from "../../store/checkpoints.ts";
import { type RunFolder, runFolderAt } from "../../store/run-folder.ts";
import { damagedSettings, holdsRun } from "../../store/run-settings.ts";
import { EvaluationLine, StepLine, WarningLine } from "../../store/wire.ts";
import type { Finding } from "./damage.ts";
import * as files from "./files.ts";
import { readJson, readLines } from "./run-files.ts";

export interface RunData {
  /** Name of the folder. */
  name: string;
  config: files.RunConfig;
  environment?: Record<string, unknown>;
  metrics: StepLine[];
  timings: StepLine[];
  evaluations: EvaluationLine[];
  warnings: WarningLine[];
  /** Steps whose batch was kept apart, since their update was dropped. */
  skipped: number[];
  validationStart?: Evaluation["counts"];
  testStart?: Evaluation;
  testTrained?: Evaluation;
  comparison?: Comparison;
  swap?: SwapCell[];
  transfer?: TransferRow[];
}

/** Tells what is damaged and leaves it out. Throws `MulliganError("data")` when the folder holds no run. */
export async function readRunData(
  folder: RunFolder,
  onDamaged: (finding: Finding) => void,
): Promise<RunData> {
  const hints = hintsFor(folder);
  const json = async <T>(file: keyof typeof hints, schema: Parameters<typeof readJson<T>>[1]) =>
    readJson(folder[file], schema, { hint: hints[file], onDamaged });
  const given = <Key extends string, T>(key: Key, value: T | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { [K in Key]?: T };
  return {
    name: basename(folder.dir),
    config: await readSettings(folder),
    ...given("environment", await json("environment", files.AnyObject)),
    metrics: await readLines(folder.metrics, StepLine, onDamaged),
    timings: await readLines(folder.timings, StepLine, onDamaged),
    evaluations: await readLines(folder.evaluations, EvaluationLine, onDamaged),
    warnings: await readLines(folder.warnings, WarningLine, onDamaged),
    skipped: await skippedSteps(folder.skipped),
    ...given("validationStart", (await json("validationStart", files.Counted))?.counts),
    ...given("testStart", await json("testStart", SavedEvaluation)),
    ...given("testTrained", await json("testTrained", SavedEvaluation)),
    ...given("comparison", await json("results", files.ComparisonFile)),
    ...given("swap", await json("swap", files.SwapFile)),
    ...given("transfer", await json("transfer", files.TransferFile)),
  };
}

/** What makes each of the files that are written whole. */
function hintsFor({ dir }: RunFolder) {
  const run = shellWord(dir);
  const resume = `mulligan train --output-dir ${run} --resume`;
  return {
    environment: "remove it: it only tells what the run was computed with",
    validationStart: "take it from a copy of the run: it is made before the first step only",
    testStart: `remove it, and the starting model is evaluated again: ${resume}`,
    testTrained: `write it anew: ${resume}`,
    results: `remove it, and it is written anew: ${resume}`,
    swap: `write it anew: mulligan swap ${run}`,
    transfer: `write it anew: mulligan transfer ${run}`,
  } as const;
}

/** Of a run, not of a model, whose folder has a config.json too. Throws `MulliganError("data")`. */
export async function readSettings(folder: RunFolder): Promise<files.RunConfig> {
  const found: Finding[] = [];
  const read = await readJson(folder.config, files.RunConfig, {
    hint: "",
    onDamaged: (finding) => found.push(finding),
  });
  if (read) return read;
  const problem = found[0]?.problem.replace(/^config\.json: /, "");
  throw holdsRun(folder) ? await damagedSettings(folder, problem ?? "no file") : notARun(folder, problem);
}

function notARun({ dir }: RunFolder, problem: string | undefined): MulliganError {
  const rule = `${dir}: must be the folder of a run`;
  const run = runFolderAt(dirname(dir));
  if (holdsRun(run)) {
    const step = stepOf(dir);
    const name = shellWord(run.dir);
    return new MulliganError(
      "data",
      `${rule}, got ${step === undefined ? "a part" : "a checkpoint"} of one`,
      {
        hint:
          step === undefined
            ? `the run is ${name}`
            : `the run is ${name}; mulligan inspect ${name} --step ${step} shows that step`,
      },
    );
  }
  const got = problem === undefined ? "no config.json" : "a config.json that is no run's";
  return new MulliganError("data", `${rule}, got ${got}`, {
    hint: "name the folder that --output-dir named; `mulligan train` makes one",
  });
}

async function skippedSteps(dir: string): Promise<number[]> {
  const names = await readdir(dir).catch(() => []);
  const steps = names.flatMap((name) => /^step-(\d+)\.json$/.exec(name)?.[1] ?? []);
  return steps.map(Number).sort((a, b) => a - b);
}
