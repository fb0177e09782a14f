/** What every command is given, and how its options become a configuration. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { MulliganError } from "../core/errors.ts";
import { latestCheckpoint, type RunFolder, runFolderAt } from "../store/run-folder.ts";
import type { MulliganConfig } from "../train/config.ts";
import { holdsWeights } from "../train/setup.ts";
import { loadConfigFile, type PartialConfig, resolveConfig } from "./config.ts";
import { flagsFromOptions } from "./flags.ts";
import type { ProgressStream } from "./progress.ts";

export interface CliContext {
  presets: Readonly<Record<string, PartialConfig>>;
  /** Aborted by the first Ctrl-C: finish the step, save, say how to continue. */
  signal: AbortSignal;
  /** Results. */
  stdout: ProgressStream;
  /** Progress and errors. */
  stderr: ProgressStream;
  /** The current folder. */
  folder: string;
}

/** Options as commander parsed them. */
export type Options = Readonly<Record<string, unknown>> & {
  config?: string;
  preset?: string;
  resume?: boolean;
  checkpoint?: string;
};

/**
 * defaults < preset < file < flags. A run that is resumed keeps its own settings, and so does a model that is taken
 * from one: the file is then the run's config.json. Throws `MulliganError("config")`.
 */
export async function configFromOptions(options: Options, context: CliContext): Promise<MulliganConfig> {
  const { preset, config, resume, checkpoint } = options;
  const flags = flagsFromOptions(options);
  const sources = { presets: context.presets, flags, ...(preset !== undefined && { preset }) };
  const at = (dir: string) => runFolderAt(resolve(context.folder, dir));
  const runs = [
    ...(resume ? [at(resolveConfig(sources).outputDir)] : []),
    // a checkpoint has a config.json too, the model's
    ...(checkpoint !== undefined ? [at(checkpoint), at(dirname(checkpoint))].filter(hasFailures) : []),
  ];
  const saved = runs.find((run) => existsSync(run.config));
  const file = await loadConfigFile(config ?? saved?.config, context.folder);
  // The shipped model was made with its own wording: who names neither model nor task gets its preset.
  const isNamed = ["model", "task"].some((key) => key in flags || key in Object(file?.values));
  const fallback = !isNamed && SHIPPED_PRESET in context.presets ? { preset: SHIPPED_PRESET } : {};
  return resolveConfig({ ...fallback, ...sources, ...(file && { file }) });
}

const SHIPPED_PRESET = "mini";

const hasFailures = ({ failures }: RunFolder) => existsSync(failures);

/** The folder of weights that --checkpoint names: a checkpoint itself, or a run's newest one. */
export async function checkpointFrom({ checkpoint }: Options): Promise<{ checkpoint?: string }> {
  if (checkpoint === undefined) return {};
  const folder = (await latestCheckpoint(runFolderAt(checkpoint)))?.path ?? checkpoint;
  if (holdsWeights(folder)) return { checkpoint: folder };
  throw new MulliganError(
    "checkpoint",
    `checkpoint: must be a run with a checkpoint, or one, got "${checkpoint}"`,
    {
      hint: "a run folder holds checkpoint-N folders once it has saved one (--save-steps, or its end)",
    },
  );
}

/** For options that are no settings: a parser of whole numbers from 1 on. */
export function positiveInteger(name: string): (text: string) => number {
  return (text) => {
    if (/^[1-9]\d*$/.test(text)) return Number(text);
    throw new MulliganError("config", `${name}: must be a whole number of at least 1, got ${text}`);
  };
}
