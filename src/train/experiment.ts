/**
 * A whole run: collect failures, evaluate the starting model, train, evaluate again on the same failures, compare.
 * Every stage leaves its product in the run folder, so that a resumed run goes on where it stopped.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Failure } from "../core/episode.ts";
import { appendJsonl } from "../core/jsonl.ts";
import {
  type Comparison,
  compareEvaluations,
  type Evaluation,
  type Example,
  evaluatePolicy,
  failuresOf,
  type Progress,
  pickExamples,
  summarize,
} from "../evaluate/index.ts";
import { type Collection, collectFailures } from "../loop/collect.ts";
import { loadFailures, saveFailures } from "../store/failures.ts";
import { type RunFolder, writeJsonAtomic } from "../store/run-folder.ts";
import type { MulliganConfig } from "./config.ts";
import { exportModel, problemsOf, type Setup } from "./setup.ts";
import { attemptDecoding } from "./source.ts";
import { type TrainEvent, train } from "./trainer.ts";

export type ExperimentEvent =
  | { type: "collecting"; done: number; total: number; failures: number }
  | { type: "collected"; failures: number; attempted: number; solved: number }
  | ({ type: "evaluating" } & Progress)
  | TrainEvent;

export interface ExperimentOptions {
  folder: RunFolder;
  /** failures.jsonl of an earlier run; default: collect. */
  failuresFile?: string;
  resume?: boolean;
  signal?: AbortSignal;
  onEvent?: (event: ExperimentEvent) => void;
}

export interface Results {
  comparison: Comparison;
  examples: Example[];
}

/** Runs all stages. Returns undefined when the signal stopped it: resume goes on from what is in the folder. */
export async function runExperiment(setup: Setup, options: ExperimentOptions): Promise<Results | undefined> {
  const { config } = setup;
  const { folder, resume = false, signal, onEvent = () => {} } = options;
  await writeJsonAtomic(folder.config, config);
  const failures = await failuresFor(setup, options);
  const start = await startEvaluation(setup, options);

  const validate = await createValidation(setup, options);
  const stage2 = train({ ...setup, failures, folder, resume, evaluate: validate, ...(signal && { signal }) });
  for await (const event of stage2) {
    await record(folder, event);
    onEvent(event);
    if (event.type === "stopped") return undefined;
  }

  await exportModel(setup, folder.model);
  const test = await problemsOf(setup.task, "test", config.eval.testProblems);
  const trained = await evaluate(setup, test, {
    controls: true,
    fixedFailures: failuresOf(start),
    signal,
    onProgress: (progress) => onEvent({ type: "evaluating", ...progress }),
  });
  await writeJsonAtomic(folder.testTrained, trained);
  await appendJsonl(folder.evaluations, { step: config.maxSteps, split: "test", ...summarize(trained) });
  const comparison = compareEvaluations(start, trained, {
    seed: config.eval.seed,
    bootstrap: config.eval.bootstrap,
  });
  await writeJsonAtomic(folder.results, comparison);
  return { comparison, examples: pickExamples(start, trained) };
}

/** Stage 1 into the folder's failures.jsonl. Throws the signal's reason when stopped: nothing is kept then. */
export async function collectRun(
  { config, policy, task, model }: Setup,
  { folder, signal, onEvent = () => {} }: ExperimentOptions,
): Promise<Collection> {
  const problems = await problemsOf(task, "train", config.collect.maxProblems);
  const decoding = attemptDecoding(config);
  const collection = await collectFailures(policy, task, problems, {
    tries: config.collect.tries,
    decoding,
    seed: config.seed,
    maxFailures: config.collect.maxFailures,
    onProgress: ({ attempted, failures }) =>
      onEvent({
        type: "collecting",
        done: attempted,
        total: problems.length * config.collect.tries,
        failures: failures.length,
      }),
    ...(signal && { signal }),
  });
  const { temperature, topP, topK } = decoding;
  await saveFailures(folder.failures, {
    header: {
      kind: "failures",
      version: 1,
      model,
      task: task.name,
      seed: config.seed,
      decoding: { temperature, topP, topK, maxAttemptLength: config.maxAttemptLength },
    },
    failures: collection.failures,
  });
  onEvent({ type: "collected", ...collection, failures: collection.failures.length });
  return collection;
}

async function failuresFor(setup: Setup, options: ExperimentOptions): Promise<readonly Failure[]> {
  const { folder, failuresFile, resume } = options;
  if (failuresFile !== undefined) return (await loadFailures(failuresFile)).failures;
  if (resume && existsSync(folder.failures)) return (await loadFailures(folder.failures)).failures;
  return (await collectRun(setup, options)).failures;
}

/** Evaluations during training: always on the failures that the starting model made, so that the curve is comparable. */
async function createValidation(
  setup: Setup,
  { folder, signal }: ExperimentOptions,
): Promise<(step: number) => Promise<Record<string, number>>> {
  const problems = await problemsOf(setup.task, "validation", setup.config.eval.validationProblems);
  return async (step) => {
    const start = step === 0 ? undefined : await readEvaluation(folder.validationStart);
    const fixed = start && { fixedFailures: failuresOf(start) };
    const evaluation = await evaluate(setup, problems, { controls: false, signal, ...fixed });
    if (!start) await writeJsonAtomic(folder.validationStart, evaluation);
    const metrics = summarize(evaluation);
    await appendJsonl(folder.evaluations, { step, split: "validation", ...metrics });
    return metrics;
  };
}

async function readEvaluation(path: string): Promise<Evaluation> {
  return JSON.parse(await readFile(path, "utf8")) as Evaluation;
}

/** Of the starting model on the test problems; its failures are what both models are compared on. */
async function startEvaluation(setup: Setup, options: ExperimentOptions): Promise<Evaluation> {
  const { folder, resume, signal, onEvent = () => {} } = options;
  if (resume && existsSync(folder.testStart)) {
    return readEvaluation(folder.testStart);
  }
  const problems = await problemsOf(setup.task, "test", setup.config.eval.testProblems);
  const evaluation = await evaluate(setup, problems, {
    controls: true,
    signal,
    onProgress: (progress) => onEvent({ type: "evaluating", ...progress }),
  });
  await writeJsonAtomic(folder.testStart, evaluation);
  await appendJsonl(folder.evaluations, { step: 0, split: "test", ...summarize(evaluation) });
  return evaluation;
}

interface EvaluateOptions {
  controls: boolean;
  fixedFailures?: readonly Failure[];
  signal: AbortSignal | undefined;
  onProgress?: (progress: Progress) => void;
}

/** evaluatePolicy with the decoding and seed of the configuration. */
export function evaluate(
  { config, policy, task }: Setup,
  problems: Awaited<ReturnType<typeof problemsOf>>,
  { signal, ...options }: EvaluateOptions,
): Promise<Evaluation> {
  return evaluatePolicy(policy, task, problems, {
    decoding: evaluationDecoding(config),
    seed: config.eval.seed,
    ...options,
    ...(signal && { signal }),
  });
}

function evaluationDecoding({
  eval: { temperature },
  maxAttemptLength,
  maxCompletionLength,
}: MulliganConfig) {
  const attempt = { temperature, topP: 1, topK: 0, maxTokens: maxAttemptLength };
  return { attempt, reflection: { ...attempt, maxTokens: maxCompletionLength }, retry: attempt };
}

async function record(folder: RunFolder, event: TrainEvent): Promise<void> {
  if (event.type !== "step") return;
  const { step, metrics, groups } = event;
  await appendJsonl(folder.metrics, { step, ...metrics });
  for (const { episodes } of groups) {
    for (const episode of episodes) await appendJsonl(folder.episodes, { step, ...episode });
  }
}
