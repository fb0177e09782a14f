/**
 * The reflector × retrier swap of a finished run (method.md §9.3): both of its models retry after each other's
 * reflections. One engine at a time; everything else is read from the run folder.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { requireSameItems } from "../evaluate/comparison.ts";
import {
  type Evaluation,
  type SwapCell,
  type SwapOptions,
  swapCells,
  swapReflections,
} from "../evaluate/index.ts";
import { type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import { MulliganConfig } from "./config.ts";
import { openSetup } from "./setup.ts";

/**
 * The 2×2 table, also written to the run's swap.json. Throws `MulliganError("data")` unless the run is finished and its
 * files can be read, the signal's reason when stopped: nothing is written then.
 */
export async function swapRun(folder: RunFolder, options: SwapOptions = {}): Promise<SwapCell[]> {
  requireFinished(folder);
  const config = await readConfig(folder.config);
  const start = (await readJson(folder.testStart)) as Evaluation;
  const trained = (await readJson(folder.testTrained)) as Evaluation;
  requireSameItems(start, trained);
  const retry = async (reflector: Evaluation, checkpoint?: string) => {
    const setup = await openSetup(config, {
      splits: ["test"],
      ...(checkpoint !== undefined && { checkpoint }),
    });
    try {
      return await swapReflections(reflector, setup.policy, setup.task, setup.problems.test, options);
    } finally {
      await setup.close();
    }
  };
  // first: it needs a folder of either model, so that one that is gone is found before anything is sampled
  const trainedRetrier = await retry(start, folder.model);
  const trainedReflector = await retry(trained);
  const { seed, bootstrap } = config.eval;
  const cells = swapCells(
    start,
    trained,
    { trainedReflector, trainedRetrier },
    { seed, resamples: bootstrap },
  );
  await writeJsonAtomic(folder.swap, cells);
  return cells;
}

function requireFinished({ dir, config, testStart, testTrained, model }: RunFolder): void {
  const missing = [config, testStart, testTrained, model].find((path) => !existsSync(path));
  if (missing === undefined) return;
  throw new MulliganError("data", `${dir}: must be a finished run, got none of its ${basename(missing)}`, {
    hint: "name the folder of a run that has ended; `mulligan train --resume` finishes one",
  });
}

async function readConfig(path: string): Promise<MulliganConfig> {
  const { data, error } = MulliganConfig.safeParse(await readJson(path));
  if (data) return data;
  throw new MulliganError("data", `${path}: must be a run's settings: ${z.prettifyError(error)}`, {
    hint: "name the folder of a run that this version of Mulligan made",
    cause: error,
  });
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new MulliganError("data", `${path}: must be JSON that can be read: ${(cause as Error).message}`, {
      hint: "the file is damaged: take it from a copy of the run, or train again",
      cause,
    });
  }
}
