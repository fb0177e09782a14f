/**
 * Everything about a run but its traces, as its folder tells it. A file that is missing is a stage that has not come; one
 * that is damaged is named and left out, since the rest of a broken run is what its owner wants to see.
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { z } from "zod";
import { MulliganError } from "../../core/errors.ts";
import { parseJson } from "../../core/json-file.ts";
import {
  type Comparison,
  type Evaluation,
  SavedEvaluation,
  type SwapCell,
  type TransferRow,
} from "../../evaluate/index.ts";
import type { RunFolder } from "../../store/run-folder.ts";
import { EvaluationLine, StepLine } from "../../store/wire.ts";
import * as files from "./files.ts";

export interface RunData {
  /** Name of the folder. */
  name: string;
  config: files.RunConfig;
  environment?: Record<string, unknown>;
  metrics: StepLine[];
  timings: StepLine[];
  evaluations: EvaluationLine[];
  warnings: files.Warning[];
  /** Steps whose batch was kept apart, since their update was dropped. */
  skipped: number[];
  validationStart?: files.EvaluationCounts;
  testStart?: Evaluation;
  testTrained?: Evaluation;
  comparison?: Comparison;
  swap?: SwapCell[];
  transfer?: TransferRow[];
  /** A sentence for each file that could not be read. */
  damaged: string[];
}

/** Throws `MulliganError("data")` when the folder holds no run. */
export async function readRunData(folder: RunFolder): Promise<RunData> {
  const damaged: string[] = [];
  const at = (name: string) => join(folder.dir, name);
  const json = <T>(path: string, schema: z.ZodType<T>) => readJson(path, schema, damaged);
  const lines = <T>(path: string, schema: z.ZodType<T>) => readLines(path, schema, damaged);
  const given = <Key extends string, T>(key: Key, value: T | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { [K in Key]?: T };
  return {
    name: basename(folder.dir),
    config: await readSettings(folder),
    ...given("environment", await json(at("environment.json"), files.AnyObject)),
    metrics: await lines(folder.metrics, StepLine),
    timings: await lines(folder.timings, StepLine),
    evaluations: await lines(folder.evaluations, EvaluationLine),
    warnings: await lines(at("warnings.jsonl"), files.Warning),
    skipped: await skippedSteps(at("skipped")),
    ...given("validationStart", (await json(folder.validationStart, files.Counted))?.counts),
    ...given("testStart", await json(folder.testStart, SavedEvaluation)),
    ...given("testTrained", await json(folder.testTrained, SavedEvaluation)),
    ...given("comparison", await json(folder.results, files.ComparisonFile)),
    ...given("swap", await json(folder.swap, files.SwapFile)),
    ...given("transfer", await json(folder.transfer, files.TransferFile)),
    damaged,
  };
}

/** Of a run, not of a model, whose folder has a config.json too. Throws `MulliganError("data")`. */
export async function readSettings({ dir, config }: RunFolder): Promise<files.RunConfig> {
  const notes: string[] = [];
  const read = await readJson(config, files.RunConfig, notes);
  if (read) return read;
  throw new MulliganError(
    "data",
    `${dir}: must be the folder of a run, got ${notes[0] ?? "no config.json"}`,
    {
      hint: "name the folder that --output-dir named; `mulligan train` makes one",
    },
  );
}

/** undefined when the file is not there, or not what it should be, which is noted. */
async function readJson<T>(path: string, schema: z.ZodType<T>, damaged: string[]): Promise<T | undefined> {
  const text = await readText(path, damaged);
  if (text === undefined) return undefined;
  const { value, problem } = parse(text, schema);
  if (problem !== undefined) damaged.push(`${basename(path)}: ${problem}`);
  return value;
}

/** Lines up to the first that is damaged. A last one without its end is of a writer that was killed, or still writes. */
async function readLines<T>(path: string, schema: z.ZodType<T>, damaged: string[]): Promise<T[]> {
  const whole = (await readText(path, damaged))?.split("\n").slice(0, -1) ?? [];
  const values: T[] = [];
  for (const [i, text] of whole.entries()) {
    if (text.trim() === "") continue;
    const { value, problem } = parse(text, schema);
    if (problem !== undefined) {
      damaged.push(`${basename(path)}, line ${i + 1} and what follows: ${problem}`);
      break;
    }
    values.push(value!);
  }
  return values;
}

function parse<T>(text: string, schema: z.ZodType<T>): { value?: T; problem?: string } {
  try {
    const { data, error } = schema.safeParse(parseJson(text));
    if (!error) return { value: data };
    const { path, message } = error.issues[0]!;
    return { problem: path.length > 0 ? `${path.join(".")}: ${message}` : message };
  } catch {
    return { problem: "not JSON" };
  }
}

async function readText(path: string, damaged: string[]): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") damaged.push(`${basename(path)}: ${message}`);
    return undefined;
  }
}

async function skippedSteps(dir: string): Promise<number[]> {
  const names = await readdir(dir).catch(() => []);
  const steps = names.flatMap((name) => /^step-(\d+)\.json$/.exec(name)?.[1] ?? []);
  return steps.map(Number).sort((a, b) => a - b);
}
