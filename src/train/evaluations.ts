/**
 * The evaluations of a run: each from empty caches and with the configuration's draws, so that they compare in pairs, and each
 * leaves a line in the run folder. Those that others are compared with stay there whole.
 */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { Failure } from "../core/episode.ts";
import { reach } from "../core/fault.ts";
import { appendJsonl } from "../core/jsonl.ts";
import type { Problem } from "../core/task.ts";
import {
  type Evaluation,
  type EvaluationProgress,
  evaluatePolicy,
  failuresOf,
  summarize,
} from "../evaluate/index.ts";
import { type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import { evaluationDecoding } from "./sampling.ts";
import { readEvaluation } from "./saved-run.ts";
import type { Setup } from "./setup.ts";

export interface RunEvaluationOptions {
  folder: RunFolder;
  resume?: boolean;
  signal?: AbortSignal;
  onEvent?: (event: { type: "evaluating" } & EvaluationProgress) => void;
}

/** Of the starting model on the test problems; its failures are what both models are compared on. */
export async function evaluateStart(setup: Setup, options: RunEvaluationOptions): Promise<Evaluation> {
  const { folder, resume } = options;
  const isKept = resume && existsSync(folder.testStart);
  const evaluation = isKept ? await readEvaluation(folder.testStart) : await evaluateTest(setup, options);
  if (!isKept) await writeJsonAtomic(folder.testStart, evaluation);
  // a run that was killed between the two has the file and not the line, which comes before all others
  const isTold = existsSync(folder.evaluations) && (await stat(folder.evaluations)).size > 0;
  if (!isTold) await tellOf(folder, 0, "test", summarize(evaluation));
  return evaluation;
}

/** Of the trained model, on the same problems and on the starting model's failures. */
export async function evaluateTrained(
  setup: Setup,
  start: Evaluation,
  options: RunEvaluationOptions,
): Promise<Evaluation> {
  const { folder } = options;
  const evaluation = await evaluateTest(setup, options, failuresOf(start));
  await writeJsonAtomic(folder.testTrained, evaluation);
  await tellOf(folder, setup.config.maxSteps, "test", summarize(evaluation));
  return evaluation;
}

/** During training: on the failures that the starting model made, so that the curve is comparable. */
export function createValidation(
  setup: Setup,
  { folder, signal }: RunEvaluationOptions,
): (step: number) => Promise<Record<string, number>> {
  return async (step) => {
    // a run that began with eval.steps 0 has none: it then reflects on its own failures
    const hasStart = step > 0 && existsSync(folder.validationStart);
    const evaluation = await evaluate(setup, setup.problems.validation, {
      controls: false,
      signal,
      ...(hasStart && { fixedFailures: failuresOf(await readEvaluation(folder.validationStart)) }),
    });
    if (step === 0) await writeJsonAtomic(folder.validationStart, evaluation);
    const metrics = summarize(evaluation);
    await tellOf(folder, step, "validation", metrics);
    return metrics;
  };
}

function evaluateTest(
  setup: Setup,
  { signal, onEvent = () => {} }: RunEvaluationOptions,
  fixedFailures?: readonly Failure[],
): Promise<Evaluation> {
  return evaluate(setup, setup.problems.test, {
    controls: true,
    signal,
    onProgress: (progress) => onEvent({ type: "evaluating", ...progress }),
    ...(fixedFailures && { fixedFailures }),
  });
}

interface EvaluateOptions {
  controls: boolean;
  fixedFailures?: readonly Failure[];
  signal: AbortSignal | undefined;
  onProgress?: (progress: EvaluationProgress) => void;
}

/** evaluatePolicy with the decoding and seed of the configuration, from empty caches: a resumed run has no others. */
export async function evaluate(
  { config, policy, task }: Setup,
  problems: readonly Problem[],
  { signal, ...options }: EvaluateOptions,
): Promise<Evaluation> {
  reach("evaluate");
  await policy.engine.forget?.();
  return evaluatePolicy(policy, task, problems, {
    decoding: evaluationDecoding(config),
    seed: config.eval.seed,
    ...options,
    ...(signal && { signal }),
  });
}

/** Few lines, each of much work, and the last comes after the last checkpoint: so they are synced one by one. */
async function tellOf(
  folder: RunFolder,
  step: number,
  split: "validation" | "test",
  metrics: Record<string, number>,
): Promise<void> {
  await appendJsonl(folder.evaluations, { step, split, ...metrics }, { sync: true });
}
