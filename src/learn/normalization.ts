/**
 * Loss normalisation as one weight per completion: engines sum over tokens, so TRL's means are folded in here.
 * Invariant: sum over completions and tokens of weight · loss_t is TRL's loss of the live completions.
 *
 * Differs from the paper: completions that take no part (dead or unscored group, masked for length) are as though
 * never sampled, also in the denominators. The TRL that the paper used keeps them there (and in the KL), so that a
 * step shrinks with the share of live groups.
 */

/**
 * grpo: mean over sequences of their token mean. bnpo: mean over the tokens of a part. dapo: mean over the tokens of
 * the whole batch. dr_grpo: divided by a constant, completions · maxCompletionLength, so that length has no influence.
 */
export type LossType = "grpo" | "bnpo" | "dr_grpo" | "dapo";

export interface NormalizationOptions {
  lossType: LossType;
  /** Most learnt tokens that one completion can have; dr_grpo divides by it. */
  maxCompletionLength: number;
  /** Contiguous parts that the live completions fall into; bnpo is taken in each and averaged. */
  gradientAccumulationSteps: number;
}

/** The weight of every learnt token of each completion; 0 where it is not live. `lengths` counts learnt tokens. */
export function tokenWeights(
  lengths: readonly number[],
  live: readonly boolean[],
  options: NormalizationOptions,
): Float64Array {
  const weights = new Float64Array(lengths.length);
  const members = [...lengths.keys()].filter((i) => live[i] && lengths[i]! > 0);
  const tokens = (group: readonly number[]) => group.reduce((sum, i) => sum + lengths[i]!, 0);
  const assign = (group: readonly number[], weight: (length: number) => number) => {
    for (const i of group) weights[i] = weight(lengths[i]!);
  };

  switch (options.lossType) {
    case "grpo":
      assign(members, (length) => 1 / (members.length * length));
      break;
    case "dapo":
      assign(members, () => 1 / tokens(members));
      break;
    case "dr_grpo":
      assign(members, () => 1 / (members.length * options.maxCompletionLength));
      break;
    case "bnpo": {
      const parts = splitContiguous(members, options.gradientAccumulationSteps);
      for (const part of parts) assign(part, () => 1 / (parts.length * tokens(part)));
      break;
    }
  }
  return weights;
}

/** At most `count` contiguous parts, none empty, of sizes that differ by at most one. */
export function splitContiguous<T>(items: readonly T[], count: number): T[][] {
  const parts = Math.min(count, items.length);
  return Array.from({ length: parts }, (_, part) =>
    items.slice(Math.floor((part * items.length) / parts), Math.floor(((part + 1) * items.length) / parts)),
  );
}
