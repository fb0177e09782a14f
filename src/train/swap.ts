/**
 * The reflector × retrier swap of a finished run (method.md §9.3): both of its models retry after each other's
 * reflections. One engine at a time; everything else is read from the run folder.
 */
import { requireSameItems } from "../evaluate/comparison.ts";
import {
  type Evaluation,
  type SwapCell,
  type SwapOptions,
  swapCells,
  swapReflections,
} from "../evaluate/index.ts";
import { type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import { whileLocked } from "../store/run-lock.ts";
import { readEvaluation, readRunConfig, requireFinished, trainedWeights } from "./saved-run.ts";
import { openSetup } from "./setup.ts";

/**
 * The 2×2 table, also written to the run's swap.json. Throws `MulliganError("data")` unless the run is finished and its
 * files can be read, the signal's reason when stopped: nothing is written then.
 */
export async function swapRun(folder: RunFolder, options: SwapOptions = {}): Promise<SwapCell[]> {
  requireFinished(folder);
  return whileLocked(folder.dir, () => swapModels(folder, options));
}

async function swapModels(folder: RunFolder, options: SwapOptions): Promise<SwapCell[]> {
  const config = await readRunConfig(folder);
  const start = await readEvaluation(folder.testStart);
  const trained = await readEvaluation(folder.testTrained);
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
  const trainedRetrier = await retry(start, await trainedWeights(folder));
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
