/**
 * Stage 1 as part of a run folder. While it is under way every engine call's outcomes go into a journal; at the end the
 * failures and their statistics appear whole, and the journal goes. Killed at any moment, it goes on from the journal
 * and ends with the very same files.
 */
import { existsSync } from "node:fs";
import { remove } from "../core/disk.ts";
import type { Outcome } from "../core/episode.ts";
import { reach } from "../core/fault.ts";
import type { Engine } from "../engine/contract.ts";
import { type CollectSummary, summarizeCollection } from "../evaluate/collect-summary.ts";
import { collectFailures } from "../loop/collect.ts";
import { recordStart } from "../store/environment.ts";
import { type FailureSet, loadFailures, saveFailures } from "../store/failures.ts";
import { appendOutcomes, openJournal, startJournal } from "../store/journal.ts";
import { type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import type { FailuresHeader } from "../store/wire.ts";
import type { MulliganConfig } from "./config.ts";
import { originOf, requireSameCollection } from "./origin.ts";
import { requireItems } from "./preflight.ts";
import { attemptDecoding } from "./sampling.ts";
import type { Setup } from "./setup.ts";
import { describeStart } from "./start.ts";

export type CollectEvent =
  /** Nothing is sampled yet: with a large model the first engine call takes long. */
  | { type: "collect-begun"; total: number }
  | { type: "collecting"; done: number; total: number; failures: number }
  /** `truncated`: share of the failed attempts that were cut at `limit` tokens. */
  | {
      type: "collected";
      failures: number;
      attempted: number;
      solved: number;
      truncated: number;
      limit: number;
    };

export interface CollectRunOptions {
  folder: RunFolder;
  /** Go on with the collection that is there. */
  resume?: boolean;
  signal?: AbortSignal;
  onEvent?: (event: CollectEvent) => void;
}

/**
 * Collects into the folder's failures.jsonl and collect.json. Throws `MulliganError("data")` when no attempt failed,
 * `MulliganError("config")` when what is there was begun in another way, the signal's reason when stopped.
 */
export async function collectRun(setup: Setup, options: CollectRunOptions): Promise<FailureSet> {
  const { config, task, problems } = setup;
  const { folder, resume = false, signal, onEvent = () => {} } = options;
  // what is collected after a kill is the same to the last digit: caches that a resumed run has not would show there
  const policy = { ...setup.policy, engine: isolated(setup.policy.engine) };
  reach("collect");
  const header = await originOf(setup);
  if (resume && existsSync(folder.failures)) {
    const finished = await loadFailures(folder.failures);
    requireSameCollection(finished.header, header);
    await remove(folder.journal);
    return finished;
  }
  const recorded = resume ? await recordedIn(folder, header) : [];
  let isBegun = recorded.length > 0;
  if (isBegun) await recordStart(folder, await describeStart(setup));
  const { tries, maxFailuresPerProblem, maxFailures } = config.collect;
  onEvent({ type: "collect-begun", total: problems.train.length * tries });
  const { failures, outcomes } = await collectFailures(policy, task, problems.train, {
    ...{ tries, maxFailures, recorded, signal },
    ...(maxFailuresPerProblem > 0 && { maxFailuresPerProblem }),
    decoding: attemptDecoding(config),
    seed: config.seed,
    async onBatch(batch, { settled, failures }) {
      // only now: a mistake that the first answers show leaves no folder to be cleaned
      if (!isBegun) await beginRun(folder, setup, header);
      isBegun = true;
      await appendOutcomes(folder.journal, batch);
      onEvent({ type: "collecting", done: settled, total: problems.train.length * tries, failures });
    },
  });
  const summary = summarizeCollection(outcomes);
  await keepOrForget(folder, config, { header, failures }, summary);
  const { total: attempted, solved } = summary.attempts;
  const truncated = summary.lengths.failed?.truncated ?? 0;
  const limit = config.maxAttemptLength;
  onEvent({ type: "collected", failures: failures.length, attempted, solved, truncated, limit });
  return { header, failures };
}

/** The engine, each of its samplings on its own. */
function isolated(engine: Engine): Pick<Engine, "info" | "sample"> {
  return {
    info: engine.info,
    async sample(requests, params) {
      await engine.forget?.();
      return engine.sample(requests, params);
    },
  };
}

async function recordedIn(folder: RunFolder, header: FailuresHeader): Promise<readonly Outcome[]> {
  const journal = await openJournal(folder.journal);
  if (!journal) return [];
  requireSameCollection(journal.header, header);
  return journal.outcomes;
}

/** The configuration comes last: with it a folder can be resumed, and the journal says that it collects by itself. */
async function beginRun(folder: RunFolder, setup: Setup, header: FailuresHeader): Promise<void> {
  await recordStart(folder, await describeStart(setup));
  await startJournal(folder.journal, header);
  await writeJsonAtomic(folder.config, setup.config);
}

/** The failures come last: where they are, the stage is over. A run with nothing to learn from leaves no trace. */
async function keepOrForget(
  folder: RunFolder,
  config: MulliganConfig,
  set: FailureSet,
  summary: CollectSummary,
): Promise<void> {
  try {
    if (config.learnFrom !== "answer") requireItems(set.failures, config);
  } catch (error) {
    for (const path of [folder.config, folder.environment, folder.journal]) await remove(path);
    throw error;
  }
  await writeJsonAtomic(folder.summary, summary);
  await saveFailures(folder.failures, set);
  await remove(folder.journal);
}
