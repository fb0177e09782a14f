/**
 * Before a run goes on: its folder becomes what it was at the checkpoint from which it goes on. All that may be wrong is found
 * before anything changes.
 */
import { removeWhole, writeAtomic } from "../core/atomic-file.ts";
import { MulliganError } from "../core/errors.ts";
import { stepBefore, verifyCheckpoint } from "../store/checkpoints.ts";
import { requireIntactLogs } from "../store/intact-logs.ts";
import { removeEnd, rewindRun } from "../store/rewind.ts";
import { checkpointAt, latestCheckpoint, type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import { readState, requireSameRun, type TrainerState } from "./checkpoint.ts";
import type { MulliganConfig } from "./config.ts";
import { readRunConfig } from "./saved-run.ts";

/**
 * `from`: an older checkpoint than the newest. Throws `MulliganError`: "config" for settings that cannot go on from there,
 * "checkpoint" or "data" for damaged files, "io".
 */
export async function goBack(
  folder: RunFolder,
  config: MulliganConfig,
  from: string | undefined,
): Promise<void> {
  await requireOwnSettings(folder, config);
  const step = from === undefined ? (await latestCheckpoint(folder))?.step : await stepBefore(folder, from);
  const { evaluated } = step === undefined ? {} : await requireWhole(folder, step, config);
  if (from !== undefined) await writeAtomic(folder.latest, `checkpoint-${step}\n`);
  // before the settings change of which they are: what is stopped then is no finished run
  if ((step ?? 0) >= config.maxSteps) await removeWhole(folder.results);
  await writeJsonAtomic(folder.config, config); // what may change has changed
  await rewindRun(folder, evaluated);
  if ((step ?? 0) < config.maxSteps) await removeEnd(folder);
}

/** Throws `MulliganError("config")` unless the settings are those that the folder's run began with. */
export async function requireOwnSettings(folder: RunFolder, config: MulliganConfig): Promise<void> {
  requireSameRun(await readRunConfig(folder), config);
}

/** Can a run go on from its checkpoint? */
async function requireWhole(
  folder: RunFolder,
  step: number,
  { maxSteps }: MulliganConfig,
): Promise<TrainerState> {
  await verifyCheckpoint(checkpointAt(folder, step));
  await requireIntactLogs(folder, step);
  if (maxSteps >= step) return readState(folder, step);
  const rule = `maxSteps: must be at least the ${step} steps that are done, got ${maxSteps}`;
  throw new MulliganError("config", rule, { hint: "raise --max-steps, or go back with --from" });
}
