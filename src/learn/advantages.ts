/**
 * Group-relative advantages (GRPO, arXiv 2402.03300) over rewards that may be missing, and the state of each group.
 * Invariant: only members of a live group get an advantage other than zero. Knows rewards, not what earned them.
 */
import type { GroupState } from "../core/episode.ts";

export type { GroupState };

/** Divides by the std of the group, by that of the whole batch (Lite-PPO), or by nothing (Dr. GRPO). */
export type ScaleRewards = "group" | "batch" | "none";

export interface GroupSummary {
  state: GroupState;
  /** Mean over the scored members; null when there is none. */
  mean: number | null;
  /** As torch.std (ddof = 1) over the scored members; null below two. */
  std: number | null;
}

export interface GroupAdvantages {
  /** In the shape of the rewards. null = takes no part: unscored, or in an unscored group. */
  advantages_P_G: (number | null)[][];
  groups_P: GroupSummary[];
}

/** TRL's: keeps the quotient finite. */
const STD_EPSILON = 1e-4;
/** Rewards nearer than this are equal: means of a few zeros and ones never come so close. */
const EQUAL_EPSILON = 1e-6;

/**
 * (reward - group mean) / (std + 1e-4) for each scored reward; null rewards leave their group first.
 * "batch" takes the std over every scored reward of the batch, dead groups included, as TRL does.
 */
export function groupAdvantages(
  rewards_P_G: readonly (readonly (number | null)[])[],
  options: { scaleRewards: ScaleRewards },
): GroupAdvantages {
  const groups_P = rewards_P_G.map(summarize);
  const batchStd = standardDeviation(rewards_P_G.flatMap(scored));
  const advantages_P_G = rewards_P_G.map((rewards_G, p) => {
    const { state, mean, std } = groups_P[p]!;
    if (state === "unscored") return rewards_G.map(() => null);
    // exactly 0, where (reward - mean) could leave a rounding error to learn from
    if (state !== "live") return rewards_G.map((reward) => (reward === null ? null : 0));
    const scale = { group: std! + STD_EPSILON, batch: batchStd! + STD_EPSILON, none: 1 }[
      options.scaleRewards
    ];
    return rewards_G.map((reward) => (reward === null ? null : (reward - mean!) / scale));
  });
  return { advantages_P_G, groups_P };
}

function summarize(rewards_G: readonly (number | null)[]): GroupSummary {
  const rewards = scored(rewards_G);
  const mean = average(rewards);
  const std = standardDeviation(rewards);
  return { state: groupState(rewards), mean, std };
}

function groupState(rewards: readonly number[]): GroupState {
  if (rewards.length < 2) return "unscored";
  const low = Math.min(...rewards);
  const high = Math.max(...rewards);
  // the range, not std == 0, which rounding can miss
  if (high - low > EQUAL_EPSILON) return "live";
  if (high <= EQUAL_EPSILON) return "all_failed";
  return low >= 1 - EQUAL_EPSILON ? "all_passed" : "tied";
}

/** The rewards that are not null. */
export function scored(rewards: readonly (number | null)[]): number[] {
  return rewards.filter((reward) => reward !== null);
}

/** null for an empty list. */
export function average(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** With ddof = 1, as torch.std; null below two values. */
function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = average(values)!;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}
