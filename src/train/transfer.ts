/**
 * Forgetting and transfer (the paper has no test of transfer): both models of a finished run attempt problems of other tasks. One engine at
 * a time; nothing but first tries is sampled.
 */
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import type { Verdict } from "../core/task.ts";
import {
  drawSeed,
  type EvaluationProgress,
  inBatches,
  type TransferRow,
  transferRow,
} from "../evaluate/index.ts";
import { attemptProblems } from "../loop/attempt.ts";
import { type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import { whileLocked } from "../store/run-lock.ts";
import { openTask } from "../tasks/open-task.ts";
import type { MulliganConfig } from "./config.ts";
import { evaluationDecoding } from "./sampling.ts";
import { readRunConfig, requireFinished, trainedWeights } from "./saved-run.ts";
import { openSetup } from "./setup.ts";

/** A task to measure: as the settings of the same names; `name` for the table, default the task's own. */
export const OtherTask = z.strictObject({
  task: z.string().min(1),
  taskOptions: z.record(z.string(), z.unknown()).default({}),
  name: z.string().min(1).optional(),
});
export type OtherTask = z.infer<typeof OtherTask>;

/** There are fewer than 600 brackets to complete. */
const RETENTION_PROBLEMS = 500;

/** What the shipped model was pretrained on: Countdown, calls, and four skills that nothing trains. */
export const MINI_TASKS: readonly OtherTask[] = [
  { task: "countdown", taskOptions: { wording: "compact" } },
  { task: "function-calling", taskOptions: {} },
  ...(["copy", "sort", "add", "brackets"] as const).map((kind) => ({
    task: "retention",
    taskOptions: { kinds: [kind], test: RETENTION_PROBLEMS },
    name: kind,
  })),
];

export interface TransferOptions {
  /** Problems of each task. */
  problems: number;
  signal?: AbortSignal;
  onProgress?: (progress: EvaluationProgress) => void;
}

/**
 * A row per task, also written to the run's transfer.json. Throws `MulliganError("data")` unless the run is finished,
 * what openSetup throws of a task, the signal's reason when stopped: nothing is written then.
 */
export async function transferRun(
  folder: RunFolder,
  tasks: readonly OtherTask[],
  options: TransferOptions,
): Promise<TransferRow[]> {
  requireFinished(folder);
  return whileLocked(folder.dir, () => measureTransfer(folder, tasks, options));
}

async function measureTransfer(
  folder: RunFolder,
  tasks: readonly OtherTask[],
  options: TransferOptions,
): Promise<TransferRow[]> {
  const config = await readRunConfig(folder);
  let { datasetRevisions } = config;
  // a mistake in the last of them would cost what was measured before it
  for (const other of tasks) {
    const { task, close } = await openTask(other.task, {
      ...config,
      taskOptions: other.taskOptions,
      hub: { revisions: datasetRevisions, signal: options.signal },
    });
    await task.problems("test").finally(close);
    datasetRevisions = { ...datasetRevisions, ...task.datasets?.() }; // both models see the same rows
  }
  const rows: TransferRow[] = [];
  for (const other of tasks) {
    const { task, taskOptions } = other;
    const settings = { ...config, datasetRevisions, task, taskOptions };
    const start = await firstTries(settings, other, options);
    const trained = await firstTries(settings, other, options, await trainedWeights(folder));
    const { seed, bootstrap: resamples } = config.eval;
    rows.push(
      transferRow(
        other.name ?? start.task,
        { start: start.verdicts, trained: trained.verdicts },
        { seed, resamples },
      ),
    );
  }
  await writeJsonAtomic(folder.transfer, rows);
  return rows;
}

async function firstTries(
  config: MulliganConfig,
  { name }: OtherTask,
  { problems: count, signal, onProgress }: TransferOptions,
  checkpoint?: string,
): Promise<{ task: string; verdicts: Verdict[] }> {
  const settings = { ...config, eval: { ...config.eval, testProblems: count } };
  const setup = await openSetup(settings, {
    splits: ["test"],
    attemptsOnly: true,
    ...(checkpoint !== undefined && { checkpoint }),
  });
  try {
    const { task, policy, problems } = setup;
    const decoding = evaluationDecoding(config).attempt;
    const verdicts = await inBatches(
      `${name ?? task.name}, ${checkpoint === undefined ? "starting" : "trained"} model`,
      problems.test,
      async (batch) => {
        signal?.throwIfAborted();
        const options = { tries: 1, decoding, seed: drawSeed(config.eval.seed), step: 0, signal };
        return (await attemptProblems(policy, task, batch, options)).map(({ verdict }) => verdict);
      },
      onProgress,
    );
    return { task: task.name, verdicts };
  } finally {
    await setup.close();
  }
}

/** "countdown,./task.ts", or a JSON list of OtherTask. Throws `MulliganError("config")`. */
export function otherTasksFrom(text: string): OtherTask[] {
  try {
    if (text.trim().startsWith("[")) return z.array(OtherTask).min(1).parse(JSON.parse(text));
    return text.split(",").map((task) => OtherTask.parse({ task: task.trim() }));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new MulliganError("config", `tasks: must be names or a JSON list, got ${text}: ${reason}`, {
      hint: `'[{"task": "gsm8k", "taskOptions": {"source": {"test": "gsm8k/test.jsonl"}}}]'`,
      cause,
    });
  }
}
