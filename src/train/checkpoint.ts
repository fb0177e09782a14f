/**
 * What a run needs to go on as though it had never stopped: weights and optimiser state (the engine's own files), and
 * where in the data it was. Random draws need no state: they are functions of the step.
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { readJsonFile } from "../core/json-file.ts";
import { shellWord } from "../core/shell.ts";
import type { Engine } from "../engine/contract.ts";
import { nameBest, removeOldCheckpoints, verifyCheckpoint, wayBack } from "../store/checkpoints.ts";
import { DIGESTS_FILE, writeDigests } from "../store/digests.ts";
import {
  checkpointAt,
  latestCheckpoint,
  type RunFolder,
  writeCheckpoint,
  writeJsonAtomic,
} from "../store/run-folder.ts";
import { MulliganConfig } from "./config.ts";

const stateFile = "trainer_state.json";

/** Of a checkpoint, those that are not the engine's. */
export const STATE_FILES: readonly string[] = [stateFile, DIGESTS_FILE];

/** Where a run stands after `step` steps. */
const TrainerState = z.strictObject({
  step: z.int().min(0),
  /** How far the sequence of failures was drawn. */
  position: z.int().min(0),
  /** Tokens sampled and trained on so far. */
  numTokens: z.int().min(0),
  /** The last step that was validated; absent where nothing validates. A stopped run owes the validation of its last step. */
  evaluated: z.int().min(0).exactOptional(),
  /** How many steps in a row, up to this one, were dropped; absent = 0. */
  skipped: z.int().min(1).exactOptional(),
  /** What that validation found in `metricForBestModel`; absent where it found nothing. */
  score: z.number().exactOptional(),
  /** The checkpoint with the best score so far. */
  best: z.strictObject({ step: z.int().min(0), score: z.number() }).exactOptional(),
});
export type TrainerState = z.infer<typeof TrainerState>;

const StateFile = TrainerState.extend({ version: z.literal(1), config: MulliganConfig });

/** Settings that say how long, where and how closely watched a run is, not what it computes or is compared by. */
const changeable = [
  "outputDir",
  "threads",
  "profile",
  "maxSteps",
  "maxSkippedSteps",
  "memoryCheck",
  "saveSteps",
  "saveTotalLimit",
  "reportTo",
  "verifier",
  "eval.steps",
  "eval.bootstrap",
];

/** After a validation. */
export function validated(
  { score: _, ...state }: TrainerState,
  metrics: Record<string, number>,
  { metricForBestModel }: MulliganConfig,
): TrainerState {
  const score = metrics[metricForBestModel];
  return { ...state, evaluated: state.step, ...(score !== undefined && { score }) };
}

/**
 * What a checkpoint saves: is it the best one? Only one that the settings ask for at a validated step can be: those that a stop
 * leaves besides must not decide what a run that was never stopped would not have had to decide.
 */
export function withBest(state: TrainerState, { saveSteps, maxSteps }: MulliganConfig): TrainerState {
  const { step, evaluated, score, best } = state;
  const isAskedFor = step === maxSteps || (saveSteps > 0 && step % saveSteps === 0);
  const isBetter = score !== undefined && (best === undefined || score > best.score);
  return isAskedFor && evaluated === step && isBetter ? { ...state, best: { step, score } } : state;
}

/** Saves `checkpoint-{step}`, whole or not at all, then removes what is too much. Returns its path. */
export async function saveCheckpoint(
  folder: RunFolder,
  engine: Pick<Engine, "saveState">,
  state: TrainerState,
  config: MulliganConfig,
): Promise<string> {
  const path = await writeCheckpoint(folder, state.step, async (path) => {
    await engine.saveState(path);
    await writeState(path, state, config);
  });
  await settle(folder, state, config);
  return path;
}

/** What a checkpoint holds beside the engine's files, which are there already. Throws `MulliganError("io")`. */
export async function writeState(dir: string, state: TrainerState, config: MulliganConfig): Promise<void> {
  await writeJsonAtomic(join(dir, stateFile), { version: 1, ...state, config });
  await writeDigests(dir);
}

/** `best` and what may be removed follow from the newest checkpoint: a kill before this is made good when the run goes on. */
async function settle(
  folder: RunFolder,
  { step, best }: TrainerState,
  config: MulliganConfig,
): Promise<void> {
  await nameBest(folder, best?.step);
  await removeOldCheckpoints(folder, { limit: config.saveTotalLimit, newest: step });
}

/**
 * Puts the engine where the newest checkpoint left it; undefined when there is none yet. Throws
 * `MulliganError("checkpoint")` when a file of it is damaged, `MulliganError("config")` when the settings are not its own.
 */
export async function resumeLatest(
  folder: RunFolder,
  engine: Pick<Engine, "loadState">,
  config: MulliganConfig,
): Promise<TrainerState | undefined> {
  const latest = await latestCheckpoint(folder);
  if (!latest) return undefined;
  await verifyCheckpoint(latest.path);
  const { config: saved, version: _, ...state } = await readState(folder, latest.step);
  requireSameRun(saved, config);
  await engine.loadState(latest.path);
  await settle(folder, state, config);
  return state;
}

/** What a checkpoint says of its run. Throws `MulliganError("checkpoint")`. */
export async function readState(folder: RunFolder, step: number): Promise<z.infer<typeof StateFile>> {
  const path = join(checkpointAt(folder, step), stateFile);
  try {
    return StateFile.parse(await readJsonFile(path));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new MulliganError("checkpoint", `${path}: must be a trainer's state: ${reason}`, {
      hint: await wayBack(folder, step),
      cause,
    });
  }
}

/** Throws `MulliganError("config")` when a run that is continued would compute something else. */
export function requireSameRun(saved: MulliganConfig, config: MulliganConfig): void {
  const before = settingsOf(saved);
  requireSameSchedule(saved, config);
  for (const [path, value] of Object.entries(settingsOf(config))) {
    if (changeable.includes(path) || isDeepStrictEqual(before[path], value)) continue;
    throw new MulliganError(
      "config",
      `${path}: must be as when the run began, ${JSON.stringify(before[path])}, got ${JSON.stringify(value)}`,
      {
        hint: `a resumed run may only change ${changeable.join(", ")}; fork another one from it with --fork and --output-dir`,
      },
    );
  }
}

/** A rate that falls towards the last step has fallen otherwise until now than if there had been more steps or fewer. */
function requireSameSchedule(
  saved: MulliganConfig,
  { maxSteps, lrSchedulerType, outputDir }: MulliganConfig,
): void {
  if (saved.lrSchedulerType === "constant" || saved.maxSteps === maxSteps) return;
  const rule = `maxSteps: must be as when the run began, ${saved.maxSteps}, with lrSchedulerType ${lrSchedulerType}`;
  throw new MulliganError("config", `${rule}, got ${maxSteps}`, {
    hint: `start another run that goes on from here: mulligan train --fork ${shellWord(outputDir)} --max-steps ${maxSteps} --output-dir …`,
  });
}

/** By dotted path. */
function settingsOf({ collect, eval: evaluation, ...config }: MulliganConfig): Record<string, unknown> {
  const inner = Object.entries({ collect, eval: evaluation }).flatMap(([section, settings]) =>
    Object.entries(settings).map(([name, value]) => [`${section}.${name}`, value]),
  );
  return { ...config, ...Object.fromEntries(inner) };
}
