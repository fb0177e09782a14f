/**
 * Is a folder that of a run, and what to do when its `config.json` is damaged: a checkpoint holds the same settings. Must not know
 * what the settings are.
 */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { MulliganError } from "../core/errors.ts";
import { shellWord } from "../core/shell.ts";
import { checkpointSteps } from "./checkpoints.ts";
import { checkpointAt, type RunFolder } from "./run-folder.ts";

/** Does it hold what only a run leaves? A `config.json` is in a model's folder, too. */
export function holdsRun({ failures, journal, metrics, traces, latest }: RunFolder): boolean {
  return [failures, journal, metrics, traces, latest].some((path) => existsSync(path));
}

/** The error about a run's settings that cannot be read, for `problem` such as "not JSON". */
export async function damagedSettings(folder: RunFolder, problem: string): Promise<MulliganError> {
  const rule = `must be the settings of the run in ${basename(folder.dir)}`;
  return new MulliganError("data", `${folder.config}: ${rule}, got ${problem}`, {
    hint: await wayToSettings(folder),
  });
}

async function wayToSettings(folder: RunFolder): Promise<string> {
  const step = (await checkpointSteps(folder)).at(-1);
  if (step === undefined) {
    const dir = shellWord(folder.dir);
    const again = existsSync(folder.config)
      ? `start again: mulligan train --output-dir ${dir} --clean`
      : "choose another folder with --output-dir";
    return `take it from a copy of the run, or ${again}`;
  }
  const checkpoint = checkpointAt(folder, step);
  const restored = `take it from a copy of the run, or out of ${join(checkpoint, "trainer_state.json")}, where it stands as "config"`;
  return `${restored}; another run can go on from there: mulligan train --fork ${shellWord(checkpoint)} --config FILE --output-dir NEW`;
}
