/**
 * One step of training: sample, reward, update. Where a number stops being one, in the scores, the loss or the gradient, the
 * step is dropped: weights, moments and accumulated gradient are as before it, and the next step draws the next batch.
 */
import { isNonFinite } from "../core/errors.ts";
import type { Engine } from "../engine/contract.ts";
import type { Metrics } from "../learn/metric-names.ts";
import { batchMetrics } from "../learn/metrics.ts";
import { learningRateAt } from "../learn/schedule.ts";
import type { MulliganConfig } from "./config.ts";
import { drawItems } from "./feed.ts";
import { gatherBatch, type StepBatch } from "./gather.ts";
import type { Source, StepItems } from "./source.ts";
import type { Undo } from "./undo.ts";
import { type NonFinite, updatePolicy } from "./update.ts";

/** Why a step was dropped. */
export type Dropped =
  /** The model's scores were no numbers: its weights are broken, and no other batch helps. */
  { stage: "sampling"; reason: string } | ({ stage: "training" } & NonFinite);

export interface StepTaken {
  /** Absent when sampling failed: then nothing is known of the batch. */
  gathered?: StepBatch;
  /** Where the next step's draw begins. */
  position: number;
  /** Sampled and trained on. */
  tokens: number;
  metrics: Metrics;
  dropped?: Dropped;
}

export interface StepOptions {
  step: number;
  /** Where the draw of a step begins that collected nothing. */
  position: number;
  config: MulliganConfig;
  undo: Undo;
}

/** Throws what sampling and training throw, but for numbers that are not finite. */
export async function takeStep(
  source: Source,
  engine: Pick<Engine, "forward" | "forwardBackward" | "optimStep" | "zeroGrad">,
  { step, position: given, config, undo }: StepOptions,
): Promise<StepTaken> {
  let position = given;
  let found: StepItems | undefined;
  let gathered: StepBatch;
  try {
    found = await source.itemsFor(step);
    if (found.since === step) position = 0;
    gathered = await gatherBatch(source, found.items, config, { step, position });
  } catch (error) {
    if (!isNonFinite(error)) throw error;
    const draw = { seed: config.seed, position, count: config.failuresPerStep };
    return {
      position: found ? drawItems(found.items, draw).position : position,
      tokens: 0,
      metrics: { learning_rate: learningRateAt(step - 1, config), skipped: 1 },
      dropped: { stage: "sampling", reason: error.message },
    };
  }
  const update = () => updatePolicy(engine, gathered.batch, config, step);
  // an update of one iteration is checked before it changes anything
  const { metrics, nonFinite } = config.numIterations > 1 ? await undo.unlessGood(update) : await update();
  return {
    gathered,
    position: gathered.position,
    tokens: found.sampledTokens + countTokens(gathered, config),
    metrics: {
      ...batchMetrics(gathered.completions, gathered.batch),
      ...metrics,
      ...found.metrics,
      ...(nonFinite && { skipped: 1 }),
    },
    ...(nonFinite && { dropped: { stage: "training", ...nonFinite } }),
  };
}

/** Sampled, plus trained on: once in each iteration. */
function countTokens({ sampledTokens, batch }: StepBatch, { numIterations }: MulliganConfig): number {
  const trained = batch.datums.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return sampledTokens + numIterations * trained;
}
