/**
 * What a run will do and leave on the disk, told from its settings: the stages with the most tokens that each can sample,
 * and the sizes of what is written. Nothing is loaded or sampled.
 */
import type { Split } from "../core/task.ts";
import { sizesOf } from "../engine/index.ts";
import type { MulliganConfig } from "./config.ts";
import { mostItemsPerStep } from "./feed.ts";
import { type Prepared, problemsOf, weightsOf } from "./setup.ts";

/** Parameters of the model, and of what learns. */
export interface Sizes {
  all: number;
  trained: number;
}

export interface Stage {
  name: string;
  /** What it does, in numbers. */
  work: string;
  /** Sampled at the most: every turn as long as allowed, every attempt a failure. */
  tokens: number;
}

export interface DiskUse {
  name: string;
  bytes: number;
}

/** Of one sampled token with its log-probability, as JSON: measured 38 in a run of the shipped model. */
const BYTES_PER_TOKEN = 40;

/** A value of a checkpoint: the weight and AdamW's two moments, in float32. */
const BYTES_PER_TRAINED = 12;

type Counts = Readonly<Record<Split, number>>;

export interface RunWork {
  sizes: Sizes;
  stages: Stage[];
  disk: DiskUse[];
}

/** A whole run, one that is given its failures, or stage 1 alone. */
export type Scope = "run" | "train" | "collect";

/** Throws what reading the model's config.json throws, and `MulliganError("data")` where a split has no problems. */
export async function planWork(
  config: MulliganConfig,
  { model, task }: Pick<Prepared, "model" | "task">,
  scope: Scope = "run",
): Promise<RunWork> {
  const { weights, adapter } = weightsOf(config, model, undefined);
  const { quantization } = config;
  const sizes = await sizesOf(weights, { adapter, ...(quantization !== "none" && { quantization }) });
  const countOf = async (split: Split) => (await problemsOf(task, split, config)).length;
  if (scope === "collect") {
    const stages = [collecting(config, await countOf("train"))];
    return { sizes, stages, disk: [sampledBy(stages)] };
  }
  const counts = {
    train: await countOf("train"),
    validation: await countOf("validation"),
    test: await countOf("test"),
  };
  const stages = planStages(config, counts).filter(({ name }) => scope === "run" || name !== "collect");
  return { sizes, stages, disk: planDisk(config, sizes, stages) };
}

/** `problems`: as many of each split as the settings take. */
export function planStages(config: MulliganConfig, problems: Counts): Stage[] {
  const { maxSteps, maxAttemptLength: answer, maxCompletionLength: reflection } = config;
  const validations = countValidations(config);
  // both models' first tries, and per failure a reflection with its retry, a second draw and three controls; the trained
  // model reflects on the starting one's failures and on its own
  const test = (own: number) => (5 + own) * answer + own * reflection;
  const validation = (own: number) => (1 + own) * answer + own * reflection;
  return [
    ...(config.learnFrom === "answer" ? [] : [collecting(config, problems.train)]),
    {
      name: "test",
      work: `${count(problems.test, "problem")}, before and after, with controls`,
      tokens: problems.test * (test(1) + test(2)),
    },
    ...(validations === 0
      ? []
      : [
          {
            name: "validate",
            work: `${count(problems.validation, "problem")}, ${count(validations, "time")}`,
            tokens: problems.validation * (validation(1) + (validations - 1) * validation(2)),
          },
        ]),
    { name: "train", work: stepsOf(config), tokens: maxSteps * tokensPerStep(config) },
    ...refreshing(config, problems.train),
  ];
}

function collecting({ collect, maxAttemptLength }: MulliganConfig, problems: number): Stage {
  const work = `${count(problems, "problem")}, ${count(collect.tries, "attempt")} each`;
  return { name: "collect", work, tokens: problems * collect.tries * maxAttemptLength };
}

function refreshing(
  { learnFrom, maxSteps, collect, maxAttemptLength }: MulliganConfig,
  problems: number,
): Stage[] {
  if (learnFrom === "answer" || collect.refreshSteps === 0) return [];
  const times = Math.floor(Math.max(0, maxSteps - 1) / collect.refreshSteps);
  const tokens = times * problems * collect.tries * maxAttemptLength;
  return [{ name: "collect anew", work: count(times, "time"), tokens }];
}

/** Before the first step, every so many steps and after the last. */
function countValidations({ maxSteps, eval: { steps } }: MulliganConfig): number {
  return steps === 0 ? 0 : 1 + Math.ceil(maxSteps / steps);
}

function stepsOf(config: MulliganConfig): string {
  const { maxSteps, learnFrom, failuresPerStep, numGenerations, retriesPerReflection } = config;
  const steps = count(maxSteps, "step");
  if (learnFrom === "answer")
    return `${steps} of ${count(failuresPerStep, "problem")} × ${count(numGenerations, "attempt")}`;
  const retries =
    retriesPerReflection === 1 ? "with a retry each" : `with ${retriesPerReflection} retries each`;
  return `${steps} of ${count(failuresPerStep, "failure")} × ${count(numGenerations, "reflection")} ${retries}`;
}

function tokensPerStep(config: MulliganConfig): number {
  const { learnFrom, numGenerations, retriesPerReflection, maxAttemptLength, maxCompletionLength } = config;
  const row = maxCompletionLength + retriesPerReflection * maxAttemptLength;
  return mostItemsPerStep(config) * numGenerations * (learnFrom === "answer" ? maxAttemptLength : row);
}

/** What a run leaves behind, the larger things, when all that is sampled is as long as allowed. */
export function planDisk(
  config: Pick<MulliganConfig, "maxSteps" | "saveSteps"> & { saveTotalLimit?: number },
  { all, trained }: Sizes,
  stages: readonly Stage[],
): DiskUse[] {
  const checkpoints = countCheckpoints(config);
  return [
    { name: count(checkpoints, "checkpoint"), bytes: checkpoints * BYTES_PER_TRAINED * trained },
    { name: "trained model", bytes: 4 * all },
    sampledBy(stages),
  ];
}

function sampledBy(stages: readonly Stage[]): DiskUse {
  const tokens = stages.reduce((sum, stage) => sum + stage.tokens, 0);
  return { name: "what was sampled", bytes: BYTES_PER_TOKEN * tokens };
}

/** One more than may stay while the next is written. */
function countCheckpoints({
  maxSteps,
  saveSteps,
  saveTotalLimit = 0,
}: Pick<MulliganConfig, "maxSteps" | "saveSteps"> & { saveTotalLimit?: number }): number {
  const made = saveSteps > 0 ? Math.ceil(maxSteps / saveSteps) : Math.min(1, maxSteps);
  return saveTotalLimit > 0 ? Math.min(made, saveTotalLimit + 1) : made;
}

export const bytesOfAll = (uses: readonly DiskUse[]) => uses.reduce((sum, { bytes }) => sum + bytes, 0);

export const count = (number: number, noun: string) =>
  `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
