/**
 * Which failures a step learns from: stage 1's for ever (the paper), or collected anew from the model as it is, every
 * `collect.refreshSteps` steps. A function of seed, step and weights alone, so that a resumed run meets the same ones.
 */
import { makeFolder } from "../core/disk.ts";
import type { Failure } from "../core/episode.ts";
import { isNonFinite, MulliganError } from "../core/errors.ts";
import { createRng, hashSeed } from "../core/rng.ts";
import type { Metrics } from "../learn/metric-names.ts";
import { collectFailures } from "../loop/collect.ts";
import { streams } from "../loop/streams.ts";
import { type FailureSet, loadRefreshedFailures, saveFailures } from "../store/failures.ts";
import { type RunFolder, refreshedAt } from "../store/run-folder.ts";
import type { RefreshHeader } from "../store/wire.ts";
import type { MulliganConfig } from "./config.ts";
import { mostItemsPerStep } from "./feed.ts";
import { attemptDecoding, type SourceSetup } from "./sampling.ts";

export interface StepFailures {
  failures: readonly Failure[];
  /** The first step that draws from them. */
  since: number;
  /** What collecting them took, when this step did it. */
  collected?: RefreshHeader;
}

/** The first step that learns from the same failures as this one. */
export function refreshBefore(step: number, { collect: { refreshSteps: every } }: MulliganConfig): number {
  return every === 0 ? 1 : step - ((step - 1) % every);
}

/**
 * The failures of a step, for steps in order. They are kept in the folder, since the weights that made them are gone
 * when a run is resumed between two refreshes. Throws `MulliganError("data")` when what was kept is damaged.
 */
export function createFailureFeed(
  setup: SourceSetup,
  stage1: readonly Failure[],
  folder?: RunFolder,
): (step: number) => Promise<StepFailures> {
  let current: StepFailures = { failures: stage1, since: 1 };
  const at = async (since: number) => (since === current.since ? current : kept(folder, since));
  const use = async (set: FailureSet<RefreshHeader>) => {
    if (folder) await keep(folder, set);
    current = { failures: set.failures, since: set.header.step };
  };
  return async (step) => {
    const since = refreshBefore(step, setup.config);
    // collected even when a file is there: sampling leaves the engine's caches as they were in the run that was stopped
    if (since === step && step > 1) {
      const anew = await collectAnew(setup, step).catch(async (error) => {
        // the step will be dropped, and those after it go on with the failures that there were
        if (isNonFinite(error)) {
          const { failures } = await at(refreshBefore(since - 1, setup.config));
          await use({ header: nothingCollected(step), failures: [...failures] });
        }
        throw error;
      });
      await use(anew);
      return { ...current, collected: anew.header };
    }
    current = await at(since);
    return current;
  };
}

/** As many failures of the current model as the steps until the next refresh can draw, each of another problem. */
async function collectAnew(
  { policy, task, config, rows }: SourceSetup,
  step: number,
): Promise<FailureSet<RefreshHeader>> {
  const { seed, collect } = config;
  const known = [...rows].slice(0, collect.maxProblems).map(([id, row]) => ({ id, row }));
  const problems = createRng(hashSeed(seed, streams.refresh, step)).shuffle(known);
  const { failures, outcomes } = await collectFailures(policy, task, problems, {
    tries: collect.tries,
    maxFailuresPerProblem: 1,
    maxFailures: collect.refreshSteps * mostItemsPerStep(config),
    decoding: attemptDecoding(config),
    seed,
    step,
  });
  const count = (kind: "solved" | "unscored") =>
    outcomes.filter(({ verdict }) => verdict.kind === kind).length;
  const header: RefreshHeader = {
    ...{ kind: "refreshed failures", version: 1, step },
    ...{ attempted: outcomes.length, solved: count("solved"), unscored: count("unscored") },
    sampledTokens: outcomes.reduce((sum, { length }) => sum + length, 0),
  };
  return { header, failures };
}

function nothingCollected(step: number): RefreshHeader {
  const none = { attempted: 0, solved: 0, unscored: 0, sampledTokens: 0 };
  return { kind: "refreshed failures", version: 1, step, ...none };
}

async function keep(folder: RunFolder, set: FailureSet<RefreshHeader>): Promise<void> {
  await makeFolder(folder.refreshed);
  await saveFailures(refreshedAt(folder, set.header.step), set);
}

async function kept(folder: RunFolder | undefined, since: number): Promise<StepFailures> {
  if (!folder)
    throw new RangeError("failures are asked for in the order of steps, unless a folder keeps them");
  const path = refreshedAt(folder, since);
  const { header, failures } = await loadRefreshedFailures(path);
  if (header.step === since) return { failures, since };
  throw new MulliganError("data", `${path}: must be of step ${since}, got step ${header.step}`, {
    hint: "go on from an older checkpoint, with --resume --from checkpoint-N",
  });
}

/** Of a step that collected: how the model fares at first attempts on training problems, and what it has to learn from. */
export function refreshMetrics({ failures, collected }: StepFailures): Metrics {
  if (!collected) return {};
  const { attempted, solved, unscored } = collected;
  return {
    "refresh/failures": failures.length,
    ...(attempted > unscored && { "refresh/solved": solved / (attempted - unscored) }),
  };
}
