/**
 * Opens what a configuration names: the model on the local engine, its chat, the task, and the problems to use. Whatever
 * can be found wrong without sampling is found here, before a run writes anything.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MulliganError } from "../core/errors.ts";
import { WEIGHTS, WEIGHTS_INDEX } from "../core/model-folder.ts";
import type { EngineProfile } from "../core/profile.ts";
import type { Split, Task } from "../core/task.ts";
import type { Engine } from "../engine/contract.ts";
import { createLocalEngine, isAdapterFolder } from "../engine/index.ts";
import { requireSupported } from "../engine/local/supported.ts";
import type { HubEvent } from "../hub/fetch.ts";
import { type FetchModelOptions, fetchModel } from "../hub/fetch-model.ts";
import { parseReference } from "../hub/reference.ts";
import { type Chat, loadChat, policyOf } from "../loop/policy.ts";
import { SPLITS } from "../tasks/split.ts";
import type { MulliganConfig } from "./config.ts";
import { engineOptions, weightsOf } from "./engine-options.ts";
import { type OpenedProblems, openProblems, type PrepareOptions } from "./open-problems.ts";
import { type EpisodeLengths, lengthsOf, requireEpisodes, requirePrompts } from "./preflight.ts";

export type { HubEvent };

export interface Setup extends OpenedProblems {
  config: MulliganConfig;
  /** Hugging Face folder that the engine started from. */
  model: string;
  policy: { engine: Engine; chat: Chat };
  /** Where the engine's time went, when the configuration asks for it: once, before close. */
  profile(): Promise<EngineProfile | undefined>;
}

/** What a configuration names, before there is an engine. */
export interface Prepared extends OpenedProblems {
  /** Its Hugging Face folder. */
  model: string;
  /** The model's name as a run writes it down. */
  name: string;
  chat: Chat;
  /** Of the problems, in their order. */
  lengths: Readonly<Record<Split, readonly EpisodeLengths[]>>;
}

export interface StartOptions {
  /** A folder of weights to use instead of the model's own, or of an adapter to use with them. */
  checkpoint?: string;
  /** Nothing but first tries will be sampled: they need room, whole episodes do not. Default false. */
  attemptsOnly?: boolean;
}

export interface SetupOptions extends PrepareOptions, StartOptions {}

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

/** Where a model lies, and what a run writes down to find the same one again. */
export interface FoundModel {
  folder: string;
  model: string;
  /** The first of its files that is not there, where weights were not asked for. */
  missing?: string | undefined;
}

/** The folder of a model, fetched where it is a hub name. */
export async function findModel(
  model: string,
  options: Pick<FetchModelOptions, "signal" | "onEvent" | "env" | "weights">,
): Promise<FoundModel> {
  const reference = existsSync(model) ? undefined : parseReference(model);
  if (!reference) return { folder: modelFolder(model), model };
  const { folder, commit, missing } = await fetchModel(reference, { ...options, accept: requireSupported });
  return { folder, model: `${reference.name}@${commit}`, missing };
}

/** Throws `MulliganError` where model, task or a problem cannot be used. Close it, or its verifier stays. */
export async function prepareSetup(
  settings: MulliganConfig,
  { splits = SPLITS, onHubEvent: onEvent, onWarning, ...fetching }: PrepareOptions = {},
): Promise<Prepared> {
  const { task, problems, close } = await openProblems(settings, {
    splits,
    onHubEvent: onEvent,
    onWarning,
    ...fetching,
  });
  try {
    // last: it may take long
    const { folder, model } = await findModel(settings.model, { onEvent, ...fetching });
    const chat = await loadChat(folder, settings.chatTemplateKwargs);
    const lengths = lengthsOfAll(chat, task, problems);
    return { task, problems, model: folder, name: model, chat, lengths, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Of every problem, in order. Throws as lengthsOf does. */
export function lengthsOfAll(chat: Chat, task: Task, problems: Setup["problems"]): Prepared["lengths"] {
  const of = (split: Split) => problems[split].map((problem) => lengthsOf(chat, task, problem));
  return { train: of("train"), validation: of("validation"), test: of("test") };
}

/** prepareSetup and startSetup in one. Throws what they throw. */
export async function openSetup(
  settings: MulliganConfig,
  { checkpoint, attemptsOnly, ...preparing }: SetupOptions = {},
): Promise<Setup> {
  const starting = { ...(checkpoint !== undefined && { checkpoint }), ...(attemptsOnly && { attemptsOnly }) };
  return startSetup(settings, await prepareSetup(settings, preparing), starting);
}

/**
 * Loads the model of what was prepared, which it closes when that fails. Throws `MulliganError` where the model cannot be
 * loaded or an episode finds no room in its context. `threads: 0` becomes the number of cores, and names of the hub
 * get their commits: they are written down with the run, which keeps them when it goes on.
 */
export async function startSetup(
  settings: MulliganConfig,
  prepared: Prepared,
  { checkpoint, attemptsOnly = false }: StartOptions = {},
): Promise<Setup> {
  const { task, problems, model, name, chat, lengths } = prepared;
  let engine: Engine | undefined;
  const close = async () => {
    await Promise.all([engine?.close(), prepared.close()]);
  };
  try {
    const { weights, adapter } = weightsOf(settings, model, checkpoint);
    engine = await createLocalEngine(weights, engineOptions(settings, adapter));
    const datasetRevisions = { ...settings.datasetRevisions, ...task.datasets?.() };
    const config = { ...settings, model: name, datasetRevisions, threads: engine.info.threads };
    const policy = policyOf(engine, chat, model);
    for (const split of SPLITS) {
      if (attemptsOnly) requirePrompts(engine.info, problems[split], lengths[split]);
      else requireEpisodes(engine.info, problems[split], lengths[split], config);
    }
    return { config, model, policy, task, problems, profile: async () => engine?.profile?.(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Does a folder hold what `checkpoint` may name: a model's weights or an adapter's? */
export function holdsWeights(folder: string): boolean {
  return isAdapterFolder(folder) || [WEIGHTS, WEIGHTS_INDEX].some((name) => existsSync(join(folder, name)));
}
