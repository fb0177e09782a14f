/**
 * From verdicts to rewards, and the control rewards of a study, which ask whether a gain needs the verifier at all.
 * Invariant: null = unscored, and no control turns it into a reward.
 */
import { hashSeed, hashText, uniform } from "../core/rng.ts";
import type { Verdict } from "../core/task.ts";
import { average, scored } from "./advantages.ts";

export type RewardKind = "verifier" | "random" | "inverted";

/** 1 = solved, 0 = failed, null = unscored. */
export function verdictReward(verdict: Verdict): number | null {
  if (verdict.kind === "unscored") return null;
  return verdict.kind === "solved" ? 1 : 0;
}

/** A reflection's reward: the mean over its scored retries, null when none was scored. */
export function episodeReward(verdicts: readonly Verdict[]): number | null {
  return average(scored(verdicts.map(verdictReward)));
}

/**
 * The rewards that learning sees. "random": 1 with the probability of the batch's mean reward, drawn by
 * (seed, step, index in the batch), so that groups are live more often than with the verifier, whose rewards cluster
 * by failure; "inverted": 1 - reward.
 */
export function controlRewards(
  rewards: readonly (number | null)[],
  kind: RewardKind,
  draw: { seed: number; step: number },
): (number | null)[] {
  if (kind === "verifier") return [...rewards];
  if (kind === "inverted") return rewards.map((reward) => (reward === null ? null : 1 - reward));
  const rate = average(scored(rewards)) ?? 0;
  const seed = hashSeed(draw.seed, hashText("reward/random"));
  return rewards.map((reward, index) => {
    if (reward === null) return null;
    return uniform(seed, draw.step, index) < rate ? 1 : 0;
  });
}
