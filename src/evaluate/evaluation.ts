/**
 * Evaluates a policy and keeps what came of every problem and every failure, so that rates, intervals and examples can
 * be worked out later. Draws depend on the evaluation's seed and the item alone: policies compare in pairs.
 */
import type { Failure, Utterance } from "../core/episode.ts";
import { hashSeed, hashText } from "../core/rng.ts";
import type { Problem, Task, Verdict } from "../core/task.ts";
import { type Attempt, attemptProblems, failureFromAttempt } from "../loop/attempt.ts";
import { reflectAndRetry } from "../loop/episode.ts";
import { leaksSolution } from "../loop/leaks.ts";
import type { Decoding } from "../loop/policy.ts";
import { type Rows, rowsOf } from "../loop/verdicts.ts";
import { type EvaluationProgress, inBatches } from "./batches.ts";
import { type ControlOutcomes, type EvaluatedPolicy, type Outcome, runControls } from "./controls.ts";
import { errorClassOf } from "./error-class.ts";

export interface EvaluationDecoding {
  attempt: Decoding;
  reflection: Decoding;
  retry: Decoding;
}

export interface ProblemOutcome {
  problemId: string;
  first: Outcome;
  /** What the verifier says of a first try that failed; absent where it says nothing. */
  errorClass?: string;
  solvedLeniently?: boolean;
  /** As in the paper: the first try if solved, else the retry after reflecting on that failure. */
  second: Outcome;
  /** The first try if solved, else an independent second draw. Only with controls. */
  passAt2?: Outcome;
}

export interface FailureOutcome {
  failure: Failure;
  reflection: Utterance;
  retry: Utterance;
  verdict: Verdict;
  /** Does the reflection hold a complete solution? Absent when the task cannot tell. */
  leaks?: boolean;
  /** `secondDraw`: another attempt at the problem, without the failed one in its context. */
  controls?: ControlOutcomes & { secondDraw: Outcome };
}

/** Plain data: survives JSON. */
export interface Evaluation {
  task: string;
  decoding: EvaluationDecoding;
  seed: number;
  /** `unscored` counts verdicts of every kind that could not be scored; they are in no rate. */
  counts: { problems: number; failures: number; unscored: number };
  problems: ProblemOutcome[];
  /** The fixed failures, with what this policy made of them. */
  failures: FailureOutcome[];
}

export interface EvaluationOptions {
  decoding: EvaluationDecoding;
  seed: number;
  /** Failures to reflect on, of the same problems: the starting model's. Default: the policy's own. */
  fixedFailures?: readonly Failure[];
  /** Also sample the controls: four more turns per failure. */
  controls: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: EvaluationProgress) => void;
}

/** Throws the signal's reason, or `MulliganError` where a turn does not fit the context or the task breaks its contract. */
export async function evaluatePolicy(
  policy: EvaluatedPolicy,
  task: Task,
  problems: readonly Problem[],
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { decoding, seed } = options;
  const attempts = await attemptOnce(policy, task, problems, drawSeed(seed), "first tries", options);
  const own = attempts
    .filter(({ verdict }) => verdict.kind === "failed")
    .map((attempt) => failureFromAttempt(attempt, 0));
  const fixed = options.fixedFailures ?? own;
  // One pass serves both sets: for the starting model they are the same failures.
  const distinct = [...new Map([...fixed, ...own].map((failure) => [keyOf(failure), failure])).values()];
  const rows = rowsOf(problems);
  const reflected = await reflectOnce(policy, task, distinct, rows, options);
  const reflectedOn = new Map(reflected.map((outcome) => [keyOf(outcome.failure), outcome]));
  const failures = fixed.map((failure) => reflectedOn.get(keyOf(failure))!);
  const retries = new Map(own.map((f) => [f.problemId, reflectedOn.get(keyOf(f))!.verdict.kind]));

  const failed = new Set([...fixed, ...own].map(({ problemId }) => problemId));
  const toRedraw = options.controls ? problems.filter(({ id }) => failed.has(id)) : [];
  const redrawSeed = hashSeed(drawSeed(seed), hashText("second draw"));
  const redrawn = await attemptOnce(policy, task, toRedraw, redrawSeed, "second draws", options);
  const redraws = new Map(redrawn.map(({ problemId, verdict }) => [problemId, verdict.kind]));

  const controls = options.controls
    ? await runControls(policy, task, failures, {
        rows,
        decoding: decoding.retry,
        seed: drawSeed(seed),
        step: 0,
        signal: options.signal,
        onProgress: options.onProgress,
      })
    : [];
  const verdicts = [...attempts, ...reflected, ...redrawn].map(({ verdict }) => verdict.kind);
  const outcomes = [...verdicts, ...controls.flatMap((control) => Object.values(control))];
  return {
    task: task.name,
    decoding,
    seed,
    counts: {
      problems: problems.length,
      failures: failures.length,
      unscored: outcomes.filter((outcome) => outcome === "unscored").length,
    },
    problems: attempts.map(({ problemId, verdict, verdict: { kind } }) => ({
      problemId,
      first: kind,
      ...detailsOf(verdict),
      second: kind === "failed" ? retries.get(problemId)! : kind,
      ...(options.controls && { passAt2: kind === "failed" ? redraws.get(problemId)! : kind }),
    })),
    failures: failures.map((outcome, i) => ({
      ...outcome,
      ...(options.controls && {
        controls: { ...controls[i]!, secondDraw: redraws.get(outcome.failure.problemId)! },
      }),
    })),
  };
}

/** The failures of an evaluation, for another policy to be evaluated on. */
export function failuresOf({ failures }: Evaluation): Failure[] {
  return failures.map(({ failure }) => failure);
}

/** The seed behind every draw: a child of its own, so that training with the same seed draws other numbers. */
export function drawSeed(seed: number): number {
  return hashSeed(seed, hashText("evaluation"));
}

function detailsOf(verdict: Verdict) {
  const errorClass = errorClassOf(verdict);
  const solvedLeniently = verdict.kind === "failed" ? verdict.solvedLeniently : undefined;
  return {
    ...(errorClass !== undefined && { errorClass }),
    ...(solvedLeniently !== undefined && { solvedLeniently }),
  };
}

function attemptOnce(
  policy: EvaluatedPolicy,
  task: Task,
  problems: readonly Problem[],
  seed: number,
  stage: string,
  { decoding, signal, onProgress }: EvaluationOptions,
): Promise<Attempt[]> {
  const attemptOptions = { tries: 1, decoding: decoding.attempt, seed, step: 0, signal };
  return inBatches(
    stage,
    problems,
    (batch) => attemptProblems(policy, task, batch, attemptOptions),
    onProgress,
  );
}

function reflectOnce(
  policy: EvaluatedPolicy,
  task: Task,
  failures: readonly Failure[],
  rows: Rows,
  { decoding, seed, signal, onProgress }: EvaluationOptions,
): Promise<FailureOutcome[]> {
  const episodeOptions = {
    rows,
    numGenerations: 1,
    retriesPerReflection: 1,
    reflectionDecoding: decoding.reflection,
    retryDecoding: decoding.retry,
    seed: drawSeed(seed),
    step: 0,
    signal,
  };
  const reflect = async (batch: readonly Failure[]) => {
    const groups = await reflectAndRetry(policy, task, batch, episodeOptions);
    return groups.map(({ failure, episodes }): FailureOutcome => {
      const { reflection, retries } = episodes[0]!;
      const { utterance, verdict } = retries[0]!;
      const leaks = leaksSolution(task, episodes[0]!, rows);
      return { failure, reflection, retry: utterance, verdict, ...(leaks !== undefined && { leaks }) };
    });
  };
  return inBatches("reflections and retries", failures, reflect, onProgress);
}

/** Two policies may fail the same try of a problem with different words: those are two failures. */
function keyOf({ id, attempt }: Failure): string {
  return `${id} ${attempt.tokens.join()}`;
}
