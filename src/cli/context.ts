/** What every command is given, and how its options become a configuration. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { MulliganError } from "../core/errors.ts";
import { findCheckpoint, verifyCheckpoint } from "../store/checkpoints.ts";
import { type RunFolder, runFolderAt } from "../store/run-folder.ts";
import { isTaskFile } from "../tasks/load-task.ts";
import type { MulliganConfig } from "../train/config.ts";
import { readRunConfig } from "../train/saved-run.ts";
import { holdsWeights } from "../train/setup.ts";
import { type ConfigFile, loadConfigFile, type PartialConfig, resolveConfig } from "./config.ts";
import { flagsFromOptions } from "./flags.ts";
import type { ProgressStream } from "./view/progress.ts";

export interface CliContext {
  presets: Readonly<Record<string, PartialConfig>>;
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP: finish the step, save, say how to continue. */
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
  fork?: string;
};

/**
 * defaults < preset < file < flags. A run that is resumed keeps its own settings, and so does a model that is taken
 * from one: the file is then the run's config.json. Paths of a file start from its folder, and leave here absolute: what
 * a run writes down holds wherever it is read. `discover`: take the folder's configuration file when none is named.
 * Throws `MulliganError("config")`.
 */
export async function configFromOptions(
  options: Options,
  context: CliContext,
  { discover = true } = {},
): Promise<MulliganConfig> {
  const { preset, config, resume, checkpoint = options.fork } = options;
  const flags = flagsFromOptions(options);
  const sources = { presets: context.presets, flags, ...(preset !== undefined && { preset }) };
  const at = (dir: string) => runFolderAt(resolve(context.folder, dir));
  // a checkpoint has a config.json too, the model's
  const owners =
    checkpoint === undefined ? [] : [at(checkpoint), at(dirname(checkpoint))].filter(hasFailures);
  const owner = owners.find((run) => existsSync(run.config));
  let file = await fileFor({ config, owner, discover }, context);
  if (resume && config === undefined) {
    const run = at(resolveConfig({ ...sources, ...(file && { file }) }).outputDir);
    if (existsSync(run.config)) file = await settingsOf(run);
  }
  // The shipped model was made with its own wording: who names no other model and no task gets its preset.
  const named = { ...Object(file?.values), ...flags };
  const isNamed = "task" in named || (named.model ?? SHIPPED_PRESET) !== SHIPPED_PRESET;
  const fallback = !isNamed && SHIPPED_PRESET in context.presets ? { preset: SHIPPED_PRESET } : {};
  const settings = resolveConfig({ ...fallback, ...sources, ...(file && { file }) });
  return { ...settings, ...absolutePaths(settings, context.folder) };
}

/** The configuration file that is named, else the settings of the run that a model is taken from, else the folder's file. */
async function fileFor(
  {
    config,
    owner,
    discover,
  }: { config?: string | undefined; owner?: RunFolder | undefined; discover: boolean },
  { folder }: CliContext,
): Promise<ConfigFile | undefined> {
  if (!discover && config === undefined) return undefined;
  if (owner && config === undefined) return settingsOf(owner);
  const loaded = await loadConfigFile(config, folder);
  return loaded && withAbsolutePaths(loaded, folder);
}

const settingsOf = async (run: RunFolder): Promise<ConfigFile> => ({
  path: run.config,
  values: await readRunConfig(run),
});

function withAbsolutePaths(file: ConfigFile, folder: string): ConfigFile {
  if (typeof file.values !== "object" || file.values === null) return file;
  const from = dirname(resolve(folder, file.path));
  return { ...file, values: { ...file.values, ...absolutePaths(file.values, from) } };
}

/** Of the settings that may be paths those that are. */
function absolutePaths(
  { task, adapter, model }: { task?: unknown; adapter?: unknown; model?: unknown },
  folder: string,
): Partial<Pick<MulliganConfig, "task" | "adapter" | "model">> {
  return {
    ...(typeof task === "string" && isTaskFile(task) && { task: resolve(folder, task) }),
    ...(typeof adapter === "string" && adapter !== "" && { adapter: resolve(folder, adapter) }),
    ...(typeof model === "string" && /^\.{1,2}[/\\]/.test(model) && { model: resolve(folder, model) }),
  };
}

const SHIPPED_PRESET = "mini";

const hasFailures = ({ failures }: RunFolder) => existsSync(failures);

/** The folder of weights that --checkpoint names: a checkpoint itself, a run's newest one, or what a run's `best` names. */
export async function checkpointFrom({ checkpoint }: Options): Promise<{ checkpoint?: string }> {
  if (checkpoint === undefined) return {};
  const folder = await findCheckpoint(checkpoint);
  if (holdsWeights(folder)) {
    await verifyCheckpoint(folder);
    return { checkpoint: folder };
  }
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
    throw new MulliganError("config", `${name}: must be a whole number of at least 1, got ${text}`, {
      hint: `1, 2, 3 and so on: --${name} 5`,
    });
  };
}
