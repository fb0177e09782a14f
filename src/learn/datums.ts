/**
 * From completions to what an engine trains on. Invariant: advantage and KL weight are exactly zero on every target
 * outside the learnt spans, and a completion that is not live gives no datum at all.
 */
import type { Datum } from "../core/datum.ts";
import { type GroupSummary, groupAdvantages, type ScaleRewards } from "./advantages.ts";
import type { Completion } from "./completions.ts";
import { type NormalizationOptions, tokenWeights } from "./normalization.ts";

export interface BatchOptions extends NormalizationOptions {
  scaleRewards: ScaleRewards;
  /** Weight of the KL to the reference; 0 = no klWeights. */
  beta: number;
  /** Leaves completions that were cut at their limit out of the loss; they still count in their group's baseline. */
  maskTruncatedCompletions: boolean;
}

/** One optimiser step's data. */
export interface Batch {
  /** One per live completion, in their order. Where beta > 0 the trainer adds `referenceLogprobs`. */
  datums: Datum[];
  /** For each datum, the index of its completion. */
  live: number[];
  /** For each datum, the target positions [start, end) that learn. */
  learnt: { start: number; end: number }[][];
  /** For each completion, its advantage before normalisation; null = takes no part. */
  advantages: (number | null)[];
  /** In the order in which their indices first appear among the completions. */
  groups: GroupSummary[];
}

export function buildBatch(completions: readonly Completion[], options: BatchOptions): Batch {
  const { advantages, groups, isLive } = advantagesOf(completions, options.scaleRewards);
  const lengths = completions.map(learntLength);
  const learns = completions.map(
    (completion, i) =>
      isLive[i]! && lengths[i]! > 0 && !(options.maskTruncatedCompletions && completion.truncated),
  );
  const weights = tokenWeights(lengths, learns, options);
  const live = [...completions.keys()].filter((i) => learns[i]);
  return {
    datums: live.map((i) =>
      datumFromCompletion(completions[i]!, {
        advantage: advantages[i]! * weights[i]!,
        klWeight: options.beta * weights[i]!,
      }),
    ),
    live,
    learnt: live.map((i) => completions[i]!.learn.map(targetPositions)),
    advantages,
    groups,
  };
}

/**
 * The completion shifted by one, `advantage` and `klWeight` on each learnt target. The end token that was sampled is a
 * learnt target: without it the model would never learn when to stop. No klWeights when `klWeight` is 0.
 */
export function datumFromCompletion(
  completion: Completion,
  perToken: { advantage: number; klWeight: number },
): Datum {
  const full = Int32Array.from(completion.tokens);
  const length = full.length - 1;
  const logprobs = new Float32Array(length);
  const advantages = new Float32Array(length);
  const klWeights = new Float32Array(length);
  for (const span of completion.learn) {
    const { start, end } = targetPositions(span);
    if (start < 0 || end > length || span.logprobs.length !== end - start) {
      throw new RangeError(
        `datum: a learnt span lies in [1, ${full.length}] with one logprob per token, ` +
          `got [${span.start}, ${span.end}) with ${span.logprobs.length}`,
      );
    }
    logprobs.set(span.logprobs, start);
    advantages.fill(perToken.advantage, start, end);
    klWeights.fill(perToken.klWeight, start, end);
  }
  const datum: Datum = { tokens: full.slice(0, -1), targets: full.slice(1), logprobs, advantages };
  return perToken.klWeight === 0 ? datum : { ...datum, klWeights };
}

/** Token t is the target of position t - 1. */
function targetPositions(span: { start: number; end: number }): { start: number; end: number } {
  return { start: span.start - 1, end: span.end - 1 };
}

/** How many tokens of a completion learn. */
export function learntLength(completion: Completion): number {
  return completion.learn.reduce((sum, span) => sum + span.end - span.start, 0);
}

/** Gathers rewards by group, whatever the order of completions, and hands the advantages back in that order. */
function advantagesOf(completions: readonly Completion[], scaleRewards: ScaleRewards) {
  const members = new Map<number, number[]>();
  for (const [i, { groupIndex }] of completions.entries()) {
    const group = members.get(groupIndex);
    if (group) group.push(i);
    else members.set(groupIndex, [i]);
  }
  const members_P_G = [...members.values()];
  const rewards_P_G = members_P_G.map((members_G) => members_G.map((i) => completions[i]!.reward));
  const { advantages_P_G, groups_P } = groupAdvantages(rewards_P_G, { scaleRewards });

  const advantages = new Array<number | null>(completions.length).fill(null);
  const isLive = new Array<boolean>(completions.length).fill(false);
  for (const [p, members_G] of members_P_G.entries()) {
    for (const [g, i] of members_G.entries()) {
      const advantage = advantages_P_G[p]![g]!;
      advantages[i] = advantage;
      isLive[i] = groups_P[p]!.state === "live" && advantage !== null;
    }
  }
  return { advantages, groups: groups_P, isLive };
}
