/**
 * One step's batch: groups are sampled, rewarded and, with dynamic sampling, added until enough of them can teach
 * something. Knows no engine; the source samples.
 */
import type { Group } from "../core/episode.ts";
import {
  type AttemptGroup,
  type Completion,
  completionLimit,
  withControlRewards,
} from "../learn/completions.ts";
import { type Batch, type BatchOptions, buildBatch } from "../learn/datums.ts";
import type { MulliganConfig } from "./config.ts";
import { drawItems, mostItemsPerStep } from "./feed.ts";
import type { Source } from "./source.ts";

export interface StepBatch {
  batch: Batch;
  /** Of every group sampled, dead ones too. */
  completions: Completion[];
  groups: Group[];
  attemptGroups: AttemptGroup[];
  sampledTokens: number;
  /** Where the next step's draw begins. */
  position: number;
}

/** Samples a group for each of the next `failuresPerStep` items, fewer when there are fewer, and builds the batch. */
export async function gatherBatch(
  source: Pick<Source, "gather">,
  items: readonly { id: string }[],
  config: MulliganConfig,
  { step, position: start }: { step: number; position: number },
): Promise<StepBatch> {
  const { seed, failuresPerStep } = config;
  const bound = mostItemsPerStep(config);
  const held: { id: string }[] = [];
  const completions: Completion[] = [];
  const groups: Group[] = [];
  const attemptGroups: AttemptGroup[] = [];
  let sampledTokens = 0;
  let position = start;
  let missing = failuresPerStep;
  let rewarded: Completion[];
  let batch: Batch;
  do {
    const draw = drawItems(items, { seed, position, count: missing, held });
    const gathering = await source.gather(draw.drawn, step);
    for (const completion of gathering.completions) {
      completions.push({ ...completion, groupIndex: completion.groupIndex + held.length });
    }
    groups.push(...gathering.groups);
    attemptGroups.push(...gathering.attemptGroups);
    sampledTokens += gathering.sampledTokens;
    position = draw.position;
    held.push(...draw.drawn);
    // over the whole batch each time: batch std and matched random rewards depend on all of it
    rewarded = withControlRewards(completions, config.reward, { seed, step });
    batch = buildBatch(rewarded, batchOptions(config));
    const live = batch.groups.filter(({ state }) => state === "live").length;
    missing = Math.min(failuresPerStep - live, bound - held.length);
  } while (missing > 0 && held.length < items.length);
  return { batch, completions: rewarded, groups, attemptGroups, sampledTokens, position };
}

function batchOptions(config: MulliganConfig): BatchOptions {
  const { scaleRewards, beta, maskTruncatedCompletions, lossType, gradientAccumulationSteps } = config;
  const maxCompletionLength = completionLimit(config.learnFrom, config);
  return {
    scaleRewards,
    beta,
    maskTruncatedCompletions,
    lossType,
    gradientAccumulationSteps,
    maxCompletionLength,
  };
}
