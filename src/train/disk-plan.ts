/** What a run keeps on the disk, the larger things, as arithmetic on its settings: all that is sampled as long as allowed. */
import { count } from "../core/count.ts";
import type { MulliganConfig } from "./config.ts";

/** Parameters of the model, and of what learns. */
export interface Sizes {
  all: number;
  trained: number;
}

/** What is sampled at the most. */
export interface Sampled {
  tokens: number;
  turns: number;
}

export interface DiskUse {
  name: string;
  bytes: number;
}

/** Of one sampled token with its log-probability, as JSON: measured 38 in a run of the shipped model. */
const BYTES_PER_TOKEN = 40;

/** Of a turn besides: ids, verdict, a prompt of some 15 tokens. Measured 220 to 400 on the tiny model of the tests. */
const BYTES_PER_TURN = 400;

/** A value of a checkpoint: the weight and AdamW's two moments, in float32. */
const BYTES_PER_TRAINED = 12;

/** The most that there is at one time. Prompts of thousands of tokens come on top. */
export function planDisk(config: CheckpointSettings, { all, trained }: Sizes, sampled: Sampled): DiskUse[] {
  const checkpoints = mostCheckpoints(config);
  return [
    { name: count(checkpoints, "checkpoint"), bytes: checkpoints * BYTES_PER_TRAINED * trained },
    { name: "trained model", bytes: 4 * all },
    planSampled(sampled),
  ];
}

export function planSampled({ tokens, turns }: Sampled): DiskUse {
  return { name: "what was sampled", bytes: BYTES_PER_TOKEN * tokens + BYTES_PER_TURN * turns };
}

export const bytesOfAll = (uses: readonly DiskUse[]) => uses.reduce((sum, { bytes }) => sum + bytes, 0);

type CheckpointSettings = Pick<MulliganConfig, "maxSteps" | "saveSteps" | "saveTotalLimit"> & {
  eval: Pick<MulliganConfig["eval"], "steps">;
};

/**
 * One more than stay while the next is written; the newest one stays and, where runs validate, the best one, whatever the limit.
 * The copy that a step of several iterations keeps (before-step/) is as large as a checkpoint and there while none is
 * written: each step is followed by another checkpoint at the latest at the end, whose place it takes.
 */
function mostCheckpoints({
  maxSteps,
  saveSteps,
  saveTotalLimit,
  eval: { steps },
}: CheckpointSettings): number {
  const made = saveSteps > 0 ? Math.ceil(maxSteps / saveSteps) : Math.min(1, maxSteps);
  if (saveTotalLimit === 0) return made;
  return Math.min(made, Math.max(saveTotalLimit, steps > 0 ? 2 : 1) + 1);
}
