/** What every command is given, and how its options become a configuration. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MulliganError } from "../core/errors.ts";
import { latestCheckpoint, runFolderAt } from "../store/run-folder.ts";
import type { MulliganConfig } from "../train/config.ts";
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
};

/**
 * defaults < preset < file < flags. A run that is resumed keeps its own settings: their file is then its config.json.
 * Throws `MulliganError("config")`.
 */
export async function configFromOptions(options: Options, context: CliContext): Promise<MulliganConfig> {
  const { preset } = options;
  const flags = flagsFromOptions(options);
  const sources = { presets: context.presets, flags, ...(preset !== undefined && { preset }) };
  const named = options.config ?? (options.resume ? savedConfig(resolveConfig(sources), context) : undefined);
  const file = await loadConfigFile(named, context.folder);
  return resolveConfig({ ...sources, ...(file && { file }) });
}

function savedConfig({ outputDir }: MulliganConfig, { folder }: CliContext): string | undefined {
  const path = runFolderAt(resolve(folder, outputDir)).config;
  // when there is none, the run folder says so in better words
  return existsSync(path) ? path : undefined;
}

export type CheckpointOptions = Options & { checkpoint?: string };

/** The folder of weights that --checkpoint names: a checkpoint itself, or a run's newest one. */
export async function checkpointFrom({ checkpoint }: CheckpointOptions): Promise<string | undefined> {
  if (checkpoint === undefined) return undefined;
  const folder = (await latestCheckpoint(runFolderAt(checkpoint)))?.path ?? checkpoint;
  const weights = [join(folder, "state"), folder].find((path) => existsSync(join(path, "config.json")));
  if (weights && existsSync(join(weights, "model.safetensors"))) return weights;
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
