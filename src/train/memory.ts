/**
 * Will a run fit? Its memory is planned from the model's shape, the settings and the longest episode of the data before any
 * weight is loaded; and its largest training run is tried before anything else, so that what is wrong shows at once.
 */
import type { Datum } from "../core/datum.ts";
import { MulliganError } from "../core/errors.ts";
import type { Engine } from "../engine/contract.ts";
import {
  type GroupShape,
  groupsPerRun,
  type MemoryPlan,
  type MemoryWork,
  planModel,
} from "../engine/index.ts";
import type { MulliganConfig } from "./config.ts";
import { engineOptions, weightsOf } from "./engine-options.ts";
import type { EpisodeLengths } from "./preflight.ts";
import type { Prepared } from "./setup.ts";

export interface RunMemory {
  plan: MemoryPlan;
  /** What fills the largest training run, were every turn as long as allowed. */
  largest: GroupShape;
}

/** Throws what reading the model's files throws. */
export async function planRun(
  settings: MulliganConfig,
  { model, lengths }: Pick<Prepared, "model" | "lengths">,
): Promise<RunMemory> {
  const longest = { prompt: 0, asked: 0, retry: 0 };
  for (const one of lengths.train) {
    for (const key of ["prompt", "asked", "retry"] as const) longest[key] = Math.max(longest[key], one[key]);
  }
  const { weights, adapter } = weightsOf(settings, model, undefined);
  const work = workOf(settings, longest);
  const groups = groupsPerRun(work.trained, settings.maxTokensPerRun);
  return {
    plan: await planModel(weights, engineOptions(settings, adapter), work),
    largest: { ...work.trained, groups },
  };
}

/** Of collecting alone, from the plan of the run: nothing is trained on. */
export function withoutTraining({ parts }: MemoryPlan): MemoryPlan {
  const left = parts.filter(({ name, when }) => when !== "training" && !name.endsWith("of training"));
  return { parts: left, peak: left.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** What a run's steps sample and train on, all turns as long as allowed. */
export function workOf(settings: MulliganConfig, { prompt, asked, retry }: EpisodeLengths): MemoryWork {
  const { failuresPerStep: groups, numGenerations, retriesPerReflection, learnFrom } = settings;
  const { maxAttemptLength, maxCompletionLength, beta, klEstimator, collect, eval: evaluation } = settings;
  const reflections = {
    ...{ groups, rowsPerGroup: numGenerations, shared: asked + maxAttemptLength, own: maxCompletionLength },
  };
  const retries = {
    ...reflections,
    rowsPerGroup: numGenerations * retriesPerReflection,
    own: maxCompletionLength + retry - asked + maxAttemptLength,
  };
  const attempts = { shared: prompt, own: maxAttemptLength };
  const answers = { groups, rowsPerGroup: numGenerations, ...attempts };
  const trained = learnFrom === "answer" ? answers : learnFrom === "reflection" ? reflections : retries;
  const most = Math.max(collect.maxProblems, evaluation.testProblems);
  return {
    loss: { name: "ppo", ...(beta > 0 && { kl: klEstimator }) },
    trained,
    sampled: [{ groups: most, rowsPerGroup: 1, ...attempts }, learnFrom === "answer" ? answers : retries],
  };
}

/** Throws `MulliganError("engine")` when a plan exceeds what is free, with what would make it smaller. */
export function requireMemory(
  { plan }: Pick<RunMemory, "plan">,
  free: number,
  settings: MulliganConfig,
): void {
  if (plan.peak <= free) return;
  const { loraR, adapter, gradientCheckpointing, maxTokensPerRun } = settings;
  const ways = [
    !gradientCheckpointing && "--gradient-checkpointing",
    loraR === 0 && adapter === "" && "--lora-r 16",
    maxTokensPerRun > 256 && `--max-tokens-per-run ${Math.floor(maxTokensPerRun / 2)}`,
    "a smaller --num-generations or --max-completion-length",
  ].filter(Boolean);
  throw new MulliganError(
    "engine",
    `memory: a run must fit in what is free, ${showBytes(free)}, got a plan of ${showBytes(plan.peak)}: ${showLargest(plan)}`,
    { hint: `try ${ways.join(", ")}; or go on all the same with --memory-check warn` },
  );
}

export const showBytes = (bytes: number) =>
  bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function showLargest({ parts }: MemoryPlan): string {
  const largest = [...parts].sort((a, b) => b.bytes - a.bytes).slice(0, 3);
  return largest.map(({ name, bytes }) => `${name} ${showBytes(bytes)}`).join(", ");
}

/**
 * The largest training run there can be, from which nothing is learnt: advantages are 0, and the KL weights that make its
 * tokens count belong to no loss asked for, so that every derivative is exactly 0.
 */
export async function tryLargest(
  engine: Pick<Engine, "forwardBackward" | "info">,
  shape: GroupShape,
): Promise<void> {
  const { groups, rowsPerGroup, shared, own } = shape;
  const { contextLength, vocabSize } = engine.info;
  const length = Math.min(shared + own - 1, contextLength);
  const data = Array.from({ length: groups * rowsPerGroup }, (_, i): Datum => {
    const group = Math.floor(i / rowsPerGroup);
    const tokens = new Int32Array(length).fill(group % vocabSize, 0, shared).fill(i % vocabSize, shared);
    const zeros = new Float32Array(length);
    const klWeights = new Float32Array(length).fill(1, Math.min(shared, length) - 1);
    return { tokens, targets: tokens, logprobs: zeros, advantages: zeros, klWeights };
  });
  await engine.forwardBackward(data, { name: "importance_sampling" });
}
