/**
 * What a run will do, told from its settings: the stages with the most tokens that each can sample, and what of that is kept
 * (disk-plan.ts). Nothing is loaded or sampled.
 */
import { count } from "../core/count.ts";
import type { Split } from "../core/task.ts";
import { sizesOf } from "../engine/index.ts";
import type { MulliganConfig } from "./config.ts";
import { type DiskUse, planDisk, planSampled, type Sampled, type Sizes } from "./disk-plan.ts";
import { weightsOf } from "./engine-options.ts";
import { mostItemsPerStep } from "./feed.ts";
import { problemsOf } from "./open-problems.ts";
import type { Prepared } from "./setup.ts";

/** What it samples at the most: every turn as long as allowed, every attempt a failure. */
export interface Stage extends Sampled {
  name: string;
  /** What it does, in numbers. */
  work: string;
}

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
    return { sizes, stages, disk: [planSampled(sumOf(stages))] };
  }
  const counts = {
    train: await countOf("train"),
    validation: await countOf("validation"),
    test: await countOf("test"),
  };
  const stages = planStages(config, counts).filter(({ name }) => scope === "run" || name !== "collect");
  return { sizes, stages, disk: planDisk(config, sizes, sumOf(stages)) };
}

const sumOf = (stages: readonly Stage[]): Sampled => ({
  tokens: stages.reduce((sum, { tokens }) => sum + tokens, 0),
  turns: stages.reduce((sum, { turns }) => sum + turns, 0),
});

/** `problems`: as many of each split as the settings take. */
export function planStages(config: MulliganConfig, problems: Counts): Stage[] {
  const { maxSteps, learnFrom } = config;
  const validations = countValidations(config);
  // both models' first tries, and per failure a reflection with its retry, a second draw and three controls; the trained
  // model reflects on the starting one's failures and on its own
  const test = (own: number): Turns => ({ answers: 5 + own, reflections: own });
  const validation = (own: number): Turns => ({ answers: 1 + own, reflections: own });
  return [
    ...(learnFrom === "answer" ? [] : [collecting(config, problems.train)]),
    {
      name: "test",
      work: `${count(problems.test, "problem")}, before and after, with controls`,
      ...sampled(config, [problems.test, test(1)], [problems.test, test(2)]),
    },
    ...(validations === 0
      ? []
      : [
          {
            name: "validate",
            work: `${count(problems.validation, "problem")}, ${count(validations, "time")}`,
            ...sampled(
              config,
              [problems.validation, validation(1)],
              [problems.validation * (validations - 1), validation(2)],
            ),
          },
        ]),
    { name: "train", work: stepsOf(config), ...sampled(config, [maxSteps, turnsPerStep(config)]) },
    ...refreshing(config, problems.train),
  ];
}

interface Turns {
  answers: number;
  reflections: number;
}

/** So many times these turns, summed. */
function sampled(
  { maxAttemptLength, maxCompletionLength }: MulliganConfig,
  ...parts: readonly (readonly [times: number, turns: Turns])[]
): Sampled {
  let [answers, reflections] = [0, 0];
  for (const [times, turns] of parts) {
    answers += times * turns.answers;
    reflections += times * turns.reflections;
  }
  return {
    tokens: answers * maxAttemptLength + reflections * maxCompletionLength,
    turns: answers + reflections,
  };
}

const ATTEMPT: Turns = { answers: 1, reflections: 0 };

function collecting(config: MulliganConfig, problems: number): Stage {
  const { tries } = config.collect;
  const work = `${count(problems, "problem")}, ${count(tries, "attempt")} each`;
  return { name: "collect", work, ...sampled(config, [problems * tries, ATTEMPT]) };
}

function refreshing(config: MulliganConfig, problems: number): Stage[] {
  const { learnFrom, maxSteps, collect } = config;
  if (learnFrom === "answer" || collect.refreshSteps === 0) return [];
  const times = Math.floor(Math.max(0, maxSteps - 1) / collect.refreshSteps);
  const attempts = times * problems * collect.tries;
  return [{ name: "collect anew", work: count(times, "time"), ...sampled(config, [attempts, ATTEMPT]) }];
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

function turnsPerStep(config: MulliganConfig): Turns {
  const { learnFrom, numGenerations, retriesPerReflection } = config;
  const rows = mostItemsPerStep(config) * numGenerations;
  if (learnFrom === "answer") return { answers: rows, reflections: 0 };
  return { answers: rows * retriesPerReflection, reflections: rows };
}
