/** A run as its folder tells of it: is it finished, what were its settings, where are its trained weights? */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { MAX_TEXT_BYTES, readJsonFile } from "../core/json-file.ts";
import { isAdapterFolder } from "../engine/index.ts";
import { type Evaluation, parseEvaluation } from "../evaluate/index.ts";
import { verifyCheckpoint } from "../store/checkpoints.ts";
import { latestCheckpoint, type RunFolder } from "../store/run-folder.ts";
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
 * The trained weights as the run computed with them: its adapter where it trained one, since merged into weights that
 * are then quantised it would be another model; else its model.
 */
export async function trainedWeights(folder: RunFolder): Promise<string> {
  const latest = await latestCheckpoint(folder);
  if (!latest || !isAdapterFolder(latest.path)) return folder.model;
  await verifyCheckpoint(latest.path);
  return latest.path;
}

/** Throws `MulliganError("data")`. */
export async function readRunConfig({ config: path }: RunFolder): Promise<MulliganConfig> {
  const { data, error } = MulliganConfig.safeParse(await readRunJson(path));
  if (data) return data;
  throw new MulliganError("data", `${path}: must be a run's settings: ${z.prettifyError(error)}`, {
    hint: "name the folder of a run that this version of Mulligan made",
    cause: error,
  });
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
