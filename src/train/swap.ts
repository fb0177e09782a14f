/**
 * The reflector × retrier swap of a finished run (method.md §9.3): both of its models retry after each other's
 * reflections. One engine at a time; everything else is read from the run folder.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { MulliganError } from "../core/errors.ts";
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

/** The 2×2 table, also written to the run's swap.json. Throws `MulliganError("data")` unless the run is finished. */
export async function swapRun(folder: RunFolder, options: SwapOptions = {}): Promise<SwapCell[]> {
  for (const path of [folder.config, folder.testStart, folder.testTrained, folder.model]) {
    if (existsSync(path)) continue;
    throw new MulliganError(
      "data",
      `${folder.dir}: must be a finished run, got none of its ${path.slice(folder.dir.length + 1)}`,
      {
        hint: "name the folder of a run that has ended; `mulligan train --resume` finishes one",
      },
    );
  }
  const config = MulliganConfig.parse(await readJson(folder.config));
  const start = (await readJson(folder.testStart)) as Evaluation;
  const trained = (await readJson(folder.testTrained)) as Evaluation;
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
  const crossed = {
    trainedReflector: await retry(trained),
    trainedRetrier: await retry(start, folder.model),
  };
  const { seed, bootstrap } = config.eval;
  const cells = swapCells(start, trained, crossed, { seed, resamples: bootstrap });
  await writeJsonAtomic(folder.swap, cells);
  return cells;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new MulliganError("data", `${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}
