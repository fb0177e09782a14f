/** A run as its folder tells of it: is it finished, what were its settings, where are its trained weights? */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { MulliganError } from "../core/errors.ts";
import { MAX_TEXT_BYTES, readJsonFile } from "../core/json-file.ts";
import { isAdapterFolder } from "../engine/index.ts";
import { type Evaluation, parseEvaluation } from "../evaluate/index.ts";
import { verifyCheckpoint } from "../store/checkpoints.ts";
import { latestCheckpoint, type RunFolder } from "../store/run-folder.ts";
import { damagedSettings } from "../store/run-settings.ts";
import { MulliganConfig } from "./config.ts";

/** Throws `MulliganError("data")` that names what the folder lacks. */
export function requireFinished({ dir, config, testStart, testTrained, model }: RunFolder): void {
  const missing = [config, testStart, testTrained, model].find((path) => !existsSync(path));
  if (missing === undefined) return;
  throw new MulliganError("data", `${dir}: must be a finished run, got none of its ${basename(missing)}`, {
    hint: "name the folder of a run that has ended; `mulligan train --resume` finishes one",
  });
}

/**
 * Has a run with these settings nothing left to do? What its end leaves must be there and readable; a setting that a resumed run
 * may change, such as `eval.bootstrap`, would change it.
 */
export async function isFinished(folder: RunFolder, config: MulliganConfig): Promise<boolean> {
  if (![folder.model, folder.report].every((path) => existsSync(path))) return false;
  try {
    const latest = await latestCheckpoint(folder);
    const saved = await readRunConfig(folder);
    await Promise.all([folder.testStart, folder.testTrained].map(readEvaluation));
    await readRunJson(folder.results);
    const { outputDir } = config;
    return latest?.step === config.maxSteps && isDeepStrictEqual({ ...saved, outputDir }, config);
  } catch (error) {
    if (error instanceof MulliganError) return false; // going on tells what is wrong, or makes it anew
    throw error;
  }
}

/**
 * The trained weights as the run computed with them: its adapter where it trained one, since merged into weights that
 * are then quantised it would be another model; else its model.
 */
export async function trainedWeights(folder: RunFolder): Promise<string> {
  const latest = await latestCheckpoint(folder);
  if (!latest || !isAdapterFolder(latest.path)) return folder.model;
  await verifyCheckpoint(latest.path);
  return latest.path;
}

/** Throws `MulliganError("data")` that says where the same settings stand, too. */
export async function readRunConfig(folder: RunFolder): Promise<MulliganConfig> {
  let values: unknown;
  try {
    values = await readJsonFile(folder.config);
  } catch (cause) {
    throw await damagedSettings(folder, `what cannot be read (${(cause as Error).message})`);
  }
  const { data, error } = MulliganConfig.safeParse(values);
  if (data) return data;
  const { path, message } = error.issues[0]!;
  throw await damagedSettings(folder, `${path.length > 0 ? `${path.join(".")}: ` : ""}${message}`);
}

/** One of the run's evaluations. Throws `MulliganError("data")`. */
export async function readEvaluation(path: string): Promise<Evaluation> {
  return parseEvaluation(await readRunJson(path), path);
}

/** Throws `MulliganError("data")`. */
export async function readRunJson(path: string): Promise<unknown> {
  try {
    return await readJsonFile(path, MAX_TEXT_BYTES);
  } catch (cause) {
    throw new MulliganError("data", `${path}: must be JSON that can be read: ${(cause as Error).message}`, {
      hint: "the file is damaged: take it from a copy of the run, or train again",
      cause,
    });
  }
}
