/** The task that a configuration names, with as many problems of each split as it takes. Knows no model. */
import { MulliganError } from "../core/errors.ts";
import type { Problem, Split, Task } from "../core/task.ts";
import type { HubEvent } from "../hub/fetch.ts";
import { openTask } from "../tasks/open-task.ts";
import { SPLITS } from "../tasks/split.ts";
import type { MulliganConfig } from "./config.ts";

/** Close it, or its verifier stays. */
export interface OpenedProblems {
  task: Task;
  /** As many of each split as the configuration says; none of a split that was not asked for. */
  problems: Readonly<Record<Split, readonly Problem[]>>;
  close(): Promise<void>;
}

export interface PrepareOptions {
  /** Default: all. */
  splits?: readonly Split[];
  /** How a model or data set of the hub is coming. */
  onHubEvent?: (event: HubEvent) => void;
  /** Told of what a person should know and nothing fails of. */
  onWarning?: (message: string) => void;
  /** Stops fetching it. */
  signal?: AbortSignal;
  /** Where the hub's settings are read. Default: the process's own. */
  env?: NodeJS.ProcessEnv;
}

/** Throws `MulliganError` where the task or a problem cannot be used. */
export async function openProblems(
  settings: MulliganConfig,
  { splits = SPLITS, onHubEvent: onEvent, onWarning, ...fetching }: PrepareOptions = {},
): Promise<OpenedProblems> {
  const hub = { ...fetching, onEvent, revisions: settings.datasetRevisions };
  const { task, close } = await openTask(settings.task, { ...settings, hub });
  try {
    const problems: Record<Split, readonly Problem[]> = { train: [], validation: [], test: [] };
    for (const split of splits) problems[split] = await problemsOf(task, split, settings);
    const shortage = shortageOf(settings, problems, splits);
    if (shortage) onWarning?.(shortage);
    return { task, problems, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function countOf({ collect, eval: evaluation }: MulliganConfig, split: Split): number {
  if (split === "train") return collect.maxProblems;
  return split === "test" ? evaluation.testProblems : evaluation.validationProblems;
}

/** Which splits have fewer problems than the configuration asks for. */
function shortageOf(
  settings: MulliganConfig,
  problems: OpenedProblems["problems"],
  splits: readonly Split[],
): string | undefined {
  const short = splits.flatMap((split) => {
    const [got, asked] = [problems[split].length, countOf(settings, split)];
    return got < asked ? [`${asked} ${split} problems, got ${got}`] : [];
  });
  return short.length === 0 ? undefined : `the task has fewer problems than asked for: ${short.join("; ")}`;
}

/** As many problems of a split as the settings take. Throws `MulliganError("data")` when it has none. */
export async function problemsOf(
  task: Task,
  split: Split,
  settings: MulliganConfig,
): Promise<readonly Problem[]> {
  const problems = (await task.problems(split)).slice(0, countOf(settings, split));
  if (problems.length > 0) return problems;
  throw new MulliganError("data", `task "${task.name}": the ${split} split must have problems, got none`, {
    hint: `give the task rows for ${split}, or more rows to split`,
  });
}
