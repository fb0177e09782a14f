/**
 * What is kept of a dropped step, for people to look into, and the end of a run that drops one after the other. Numbers that
 * are not finite are written as text: JSON has none.
 */
import { basename } from "node:path";
import { writeAtomic } from "../core/atomic-file.ts";
import { makeFolder } from "../core/disk.ts";
import type { Group } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Warning } from "../learn/health/health.ts";
import { checkpointSteps } from "../store/checkpoints.ts";
import { checkpointAt, type RunFolder, skippedAt } from "../store/run-folder.ts";
import type { Dropped, StepTaken } from "./step.ts";

/** Keeps the batch in `skipped/step-N.json`. Throws `MulliganError("io")`. */
export async function keepSkipped(
  folder: RunFolder,
  step: number,
  { gathered, dropped }: StepTaken & { dropped: Dropped },
): Promise<void> {
  const { stage, reason } = dropped;
  const logprobs = stage === "training" ? dropped.logprobs : [];
  const where = stage === "training" && dropped.target ? { firstNonFinite: dropped.target } : {};
  const datums = gathered?.batch.datums.map((datum, i) => ({
    completion: gathered.batch.live[i],
    tokens: Array.from(datum.tokens),
    target: datum.targets.at(-1),
    advantages: numbers(datum.advantages),
    logprobs: numbers(datum.logprobs),
    ...(datum.klWeights && { klWeights: numbers(datum.klWeights) }),
    trainerLogprobs: numbers(logprobs[i]),
  }));
  const completions = gathered?.completions.map(({ tokens, reward, groupIndex, truncated }) => ({
    ...{ group: groupIndex, reward, truncated, tokens },
  }));
  const groups = gathered?.groups.map(textsOf);
  await makeFolder(folder.skipped);
  const kept = { step, stage, reason, ...where, groups, completions, datums };
  await writeAtomic(skippedAt(folder, step), `${JSON.stringify(kept)}\n`);
}

const numbers = (list: Float32Array | undefined) =>
  list && Array.from(list, (value) => (Number.isFinite(value) ? value : String(value)));

function textsOf({ failure, episodes }: Group) {
  return {
    failureId: failure.id,
    problemId: failure.problemId,
    attempt: failure.attempt.text,
    episodes: episodes.map(({ reflection, reward, retries }) => ({
      reflection: reflection.text,
      reward,
      retries: retries.map(({ utterance, verdict }) => ({ text: utterance.text, verdict: verdict.kind })),
    })),
  };
}

export function skippedWarning(step: number, dropped: Dropped, folder: RunFolder | undefined): Warning {
  const batch = folder
    ? `its batch is in ${basename(folder.skipped)}/${basename(skippedAt(folder, step))}; `
    : "";
  const isTraining = dropped.stage === "training";
  return {
    kind: "skipped_step",
    message: `the step was dropped: ${dropped.reason}`,
    hint: isTraining
      ? `${batch}weights and optimiser are as before the step; if it happens again, lower learningRate or maxGradNorm`
      : "the weights themselves are broken, by the steps before or from the start: no other batch will help",
  };
}

/**
 * The end of a run whose steps come to nothing, or whose weights cannot be evaluated. A checkpoint is known to be good when its
 * weights were sampled afterwards: those of `unsampled` and later steps never were.
 */
export async function divergence(
  message: string,
  { stage, unsampled, folder }: { stage: Dropped["stage"]; unsampled: number; folder: RunFolder | undefined },
): Promise<MulliganError> {
  const isTraining = stage === "training";
  const steps = folder ? await checkpointSteps(folder) : [];
  const step = steps.filter((step) => isTraining || step < unsampled).at(-1);
  const good =
    folder && step !== undefined
      ? `the last good state is ${checkpointAt(folder, step)}`
      : "no good state was saved: --save-steps keeps some";
  const look = folder && isTraining ? `look into ${folder.skipped}; ` : "";
  const goOn = isTraining ? ", or go on with the next batch by --resume" : "";
  return new MulliganError("engine", message, {
    hint: `${look}start again with a lower --learning-rate or --max-grad-norm${goOn}; ${good}`,
  });
}
