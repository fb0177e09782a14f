/**
 * Opens what a configuration names: the model on the local engine, its chat, the task, and the problems to use. Whatever
 * can be found wrong without sampling is found here, before a run writes anything.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MulliganError } from "../core/errors.ts";
import type { EngineProfile } from "../core/profile.ts";
import type { Problem, Split, Task } from "../core/task.ts";
import type { Engine } from "../engine/contract.ts";
import {
  type AdapterSource,
  createLocalEngine,
  isAdapterFolder,
  type LocalEngineOptions,
} from "../engine/index.ts";
import { requireSupported } from "../engine/local/supported.ts";
import { type FetchOptions, fetchModel, type HubEvent } from "../hub/fetch-model.ts";
import { parseReference } from "../hub/reference.ts";
import { openPolicy } from "../loop/policy.ts";
import { openTask } from "../tasks/open-task.ts";
import { SPLITS } from "../tasks/split.ts";
import type { MulliganConfig } from "./config.ts";
import { requireEpisodes } from "./preflight.ts";

export type { HubEvent };

export interface Setup {
  config: MulliganConfig;
  /** Hugging Face folder that the engine started from. */
  model: string;
  policy: Awaited<ReturnType<typeof openPolicy<Engine>>>;
  task: Task;
  /** As many of each split as the configuration says; none of a split that was not asked for. */
  problems: Readonly<Record<Split, readonly Problem[]>>;
  /** Where the engine's time went, when the configuration asks for it: once, before close. */
  profile(): Promise<EngineProfile | undefined>;
  close(): Promise<void>;
}

export interface SetupOptions {
  /** A folder of weights to use instead of the model's own, or of an adapter to use with them. */
  checkpoint?: string;
  /** Default: all. */
  splits?: readonly Split[];
  /** How a model of the hub is coming. */
  onHubEvent?: (event: HubEvent) => void;
  /** Stops fetching a model. */
  signal?: AbortSignal;
}

/** The shipped models, beside dist/ and src/ in the package. */
const SHIPPED = fileURLToPath(new URL("../../models", import.meta.url));

/** A shipped model's name or a folder, as a folder. Throws `MulliganError("checkpoint")`. */
export function modelFolder(model: string): string {
  const shipped = join(SHIPPED, model);
  if (!/[/\\]/.test(model) && existsSync(join(shipped, "config.json"))) return shipped;
  if (existsSync(join(model, "config.json"))) return resolve(model);
  throw new MulliganError(
    "checkpoint",
    `model: must be a Hugging Face folder, a hub name or a shipped model, got "${model}"`,
    {
      hint: `"mini" is shipped; a hub name is organisation/name[@revision]; a folder holds config.json, model.safetensors and tokenizer.json`,
    },
  );
}

/** The folder of a model, fetched where it is a hub name, and what a run writes down to find the same one again. */
export async function findModel(
  model: string,
  options: Pick<FetchOptions, "signal" | "onEvent" | "env">,
): Promise<{ folder: string; model: string }> {
  const reference = existsSync(model) ? undefined : parseReference(model);
  if (!reference) return { folder: modelFolder(model), model };
  const { folder, commit } = await fetchModel(reference, { ...options, accept: requireSupported });
  return { folder, model: `${reference.name}@${commit}` };
}

/**
 * Throws `MulliganError` where model, task or a problem cannot be used. `threads: 0` becomes the number of cores, and a
 * hub name gets its commit: they are written down with the run, which keeps them when it goes on.
 */
export async function openSetup(
  settings: MulliganConfig,
  { checkpoint, splits = SPLITS, onHubEvent, signal }: SetupOptions = {},
): Promise<Setup> {
  const { task, close: closeTask } = await openTask(settings.task, settings);
  let engine: Engine | undefined;
  const close = async () => {
    await Promise.all([engine?.close(), closeTask()]);
  };
  try {
    const problems: Record<Split, readonly Problem[]> = { train: [], validation: [], test: [] };
    for (const split of splits) problems[split] = await problemsOf(task, split, countOf(settings, split));
    // last: it may take long
    const { folder, model } = await findModel(settings.model, { onEvent: onHubEvent, signal });
    const { weights, adapter } = weightsOf(settings, folder, checkpoint);
    engine = await createLocalEngine(weights, engineOptions(settings, adapter));
    const config = { ...settings, model, threads: engine.info.threads };
    const policy = await openPolicy(engine, folder, config.chatTemplateKwargs);
    for (const split of splits) requireEpisodes(policy, task, problems[split], config);
    return {
      config,
      model: folder,
      policy,
      task,
      problems,
      profile: async () => engine?.profile?.(),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** How the engine computes. */
export function engineOptions(
  settings: MulliganConfig,
  adapter: AdapterSource | undefined,
): LocalEngineOptions {
  const { threads, device, profile, quantization, maxTokensPerRun, gradientCheckpointing } = settings;
  return {
    ...{ threads, device, profile, maxTokensPerRun, gradientCheckpointing },
    reference: settings.beta > 0, // a copy of all that learns, for nothing but KL terms
    ...(adapter !== undefined && { adapter }),
    ...(quantization !== "none" && { quantization }),
  };
}

/** Where the engine takes its weights from, and what learns when they do not. */
export function weightsOf(
  settings: MulliganConfig,
  model: string,
  checkpoint: string | undefined,
): { weights: string; adapter?: AdapterSource } {
  if (checkpoint !== undefined) {
    return isAdapterFolder(checkpoint) ? { weights: model, adapter: checkpoint } : { weights: checkpoint };
  }
  const { adapter, loraR: r, loraAlpha: alpha, useRslora, loraTargetModules, seed } = settings;
  if (adapter !== "") return { weights: model, adapter: resolve(adapter) };
  if (r === 0) return { weights: model };
  const names = loraTargetModules.split(",").map((name) => name.trim());
  const targetModules = loraTargetModules === "all-linear" ? loraTargetModules : names;
  return { weights: model, adapter: { r, alpha, useRslora, targetModules, seed } };
}

/** Does a folder hold what `checkpoint` may name: a model's weights or an adapter's? */
export function holdsWeights(folder: string): boolean {
  const files = ["model.safetensors", "model.safetensors.index.json"];
  return isAdapterFolder(folder) || files.some((name) => existsSync(join(folder, name)));
}

function countOf({ collect, eval: evaluation }: MulliganConfig, split: Split): number {
  if (split === "train") return collect.maxProblems;
  return split === "test" ? evaluation.testProblems : evaluation.validationProblems;
}

/** The first `count` problems of a split. Throws `MulliganError("data")` when it has none. */
export async function problemsOf(task: Task, split: Split, count: number): Promise<readonly Problem[]> {
  const problems = (await task.problems(split)).slice(0, count);
  if (problems.length > 0) return problems;
  throw new MulliganError("data", `task "${task.name}": the ${split} split must have problems, got none`, {
    hint: `give the task rows for ${split}, or more rows to split`,
  });
}
