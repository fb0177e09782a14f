/**
 * What a run needs to go on as though it had never stopped: weights and optimiser state (the engine's own files), and
 * where in the data it was. Random draws need no state: they are functions of the step.
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { readJsonFile } from "../core/json-file.ts";
import type { Engine } from "../engine/contract.ts";
import { latestCheckpoint, type RunFolder, writeCheckpoint, writeJsonAtomic } from "../store/run-folder.ts";
import { MulliganConfig } from "./config.ts";

const stateFile = "trainer_state.json";

/** Where a run stands after `step` steps. */
const Progress = z.strictObject({
  step: z.int().min(0),
  /** How far the sequence of failures was drawn. */
  position: z.int().min(0),
  /** Tokens sampled and trained on so far. */
  numTokens: z.int().min(0),
  /** The last step that was validated; absent where nothing validates. A stopped run owes the validation of its last step. */
  evaluated: z.int().min(0).exactOptional(),
  /** How many steps in a row, up to this one, were dropped; absent = 0. */
  skipped: z.int().min(1).exactOptional(),
});
export type Progress = z.infer<typeof Progress>;

const TrainerState = Progress.extend({ version: z.literal(1), config: MulliganConfig });

/** Settings that say how long, where and how closely watched a run is, not what it computes or is compared by. */
const changeable = [
  "outputDir",
  "threads",
  "profile",
  "maxSteps",
  "maxSkippedSteps",
  "saveSteps",
  "verifier",
  "eval.steps",
  "eval.bootstrap",
];

/** Saves `checkpoint-{step}`, whole or not at all. Returns its path. */
export async function saveCheckpoint(
  folder: RunFolder,
  engine: Pick<Engine, "saveState">,
  progress: Progress,
  config: MulliganConfig,
): Promise<string> {
  return writeCheckpoint(folder, progress.step, async (path) => {
    await engine.saveState(path);
    await writeJsonAtomic(join(path, stateFile), { version: 1, ...progress, config });
  });
}

/**
 * Puts the engine where the newest checkpoint left it; undefined when there is none yet. Throws
 * `MulliganError("checkpoint")` when its file is damaged, `MulliganError("config")` when the settings are not its own.
 */
export async function resumeLatest(
  folder: RunFolder,
  engine: Pick<Engine, "loadState">,
  config: MulliganConfig,
): Promise<Progress | undefined> {
  const latest = await latestCheckpoint(folder);
  if (!latest) return undefined;
  const path = join(latest.path, stateFile);
  const { config: saved, version: _, ...progress } = await readState(path);
  requireSameRun(saved, config);
  await engine.loadState(latest.path);
  return progress;
}

async function readState(path: string): Promise<z.infer<typeof TrainerState>> {
  const details = { hint: `remove the checkpoint's folder and name an older one in the file "latest"` };
  try {
    return TrainerState.parse(await readJsonFile(path));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new MulliganError("checkpoint", `${path}: must be a trainer's state: ${reason}`, {
      ...details,
      cause,
    });
  }
}

/** Throws `MulliganError("config")` when a run that is continued would compute something else. */
export function requireSameRun(saved: MulliganConfig, config: MulliganConfig): void {
  const before = settingsOf(saved);
  for (const [path, value] of Object.entries(settingsOf(config))) {
    if (changeable.includes(path) || isDeepStrictEqual(before[path], value)) continue;
    throw new MulliganError(
      "config",
      `${path}: must be as when the run began, ${JSON.stringify(before[path])}, got ${JSON.stringify(value)}`,
      {
        hint: `a resumed run may only change ${changeable.join(", ")}; start another one with --output-dir`,
      },
    );
  }
}

/** By dotted path. */
function settingsOf({ collect, eval: evaluation, ...config }: MulliganConfig): Record<string, unknown> {
  const inner = Object.entries({ collect, eval: evaluation }).flatMap(([section, settings]) =>
    Object.entries(settings).map(([name, value]) => [`${section}.${name}`, value]),
  );
  return { ...config, ...Object.fromEntries(inner) };
}
