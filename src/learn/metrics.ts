/**
 * Metrics that follow from a batch and from the trainer's log-probabilities on it. Pure numbers: what needs a clock,
 * an optimiser or text is added by others.
 */
import { estimateKl, type KlEstimator } from "../core/kl.ts";
import { average, type GroupState, scored } from "./advantages.ts";
import type { Completion } from "./completions.ts";
import { type Batch, learntLength } from "./datums.ts";
import type { Metrics } from "./metric-names.ts";

/** What sampling and verifying gave, over all completions, live or not. */
export function batchMetrics(completions: readonly Completion[], batch: Batch): Metrics {
  const count = (state: GroupState) => batch.groups.filter((group) => group.state === state).length;
  const dead = count("all_failed") + count("all_passed") + count("tied");
  const lengths = completions.map(learntLength);
  const terminated = lengths.filter((_, i) => !completions[i]!.truncated);
  const surprisals = completions.flatMap(({ learn }) => learn.flatMap((s) => s.logprobs.map((q) => -q)));
  return withoutNulls({
    reward: average(scored(completions.map((completion) => completion.reward))),
    reward_std: average(scored(batch.groups.map((group) => group.std))),
    frac_reward_zero_std: quotient(dead, dead + count("live")),
    "rewards/verifier/mean": average(scored(completions.map((completion) => completion.verifierReward))),
    "groups/live": count("live"),
    "groups/all_failed": count("all_failed"),
    "groups/all_passed": count("all_passed"),
    "groups/tied": count("tied"),
    "groups/unscored": count("unscored"),
    "completions/mean_length": average(lengths),
    "completions/min_length": smallest(lengths),
    "completions/max_length": largest(lengths),
    "completions/clipped_ratio": quotient(lengths.length - terminated.length, lengths.length),
    "completions/mean_terminated_length": average(terminated),
    "completions/distinct_ratio": distinctRatio(completions),
    "completions/unscored_ratio": quotient(
      completions.filter(({ verifierReward }) => verifierReward === null).length,
      completions.length,
    ),
    entropy: average(surprisals),
  });
}

/** Mean over groups of the share of members that differ in a learnt token. */
function distinctRatio(completions: readonly Completion[]): number | null {
  const groups = new Map<number, string[]>();
  for (const { groupIndex, tokens, learn } of completions) {
    const said = learn.map(({ start, end }) => tokens.slice(start, end).join()).join(";");
    groups.set(groupIndex, [...(groups.get(groupIndex) ?? []), said]);
  }
  return average([...groups.values()].map((said) => new Set(said).size / said.length));
}

/**
 * Sampler against trainer, before any update on the batch: `logprobs` are the trainer's, one [T] per datum. Exact
 * agreement needs topP = 1 and topK = 0, else the sampler's distribution is a narrower one.
 */
export function samplingMetrics(batch: Batch, logprobs: readonly Float32Array[]): Metrics {
  const differences = learntTokens(batch, logprobs).map(({ logprob, sampled }) =>
    Math.abs(logprob - sampled),
  );
  return withoutNulls({
    "sampling/logprob_difference_max": largest(differences),
    "sampling/logprob_difference_mean": average(differences),
  });
}

/**
 * How far the policy has moved: clipped tokens against the sampler, and KL against the reference where the datums have
 * `referenceLogprobs`. Every learnt token counts alike, as in TRL.
 */
export function policyMetrics(
  batch: Batch,
  logprobs: readonly Float32Array[],
  options: { epsilon: number; epsilonHigh: number; klEstimator: KlEstimator },
): Metrics {
  const tokens = learntTokens(batch, logprobs);
  const share = (holds: (token: LearntToken) => boolean) =>
    quotient(tokens.filter(holds).length, tokens.length);
  const low = share((t) => t.advantage < 0 && Math.exp(t.logprob - t.sampled) < 1 - options.epsilon);
  const high = share((t) => t.advantage > 0 && Math.exp(t.logprob - t.sampled) > 1 + options.epsilonHigh);
  const kl = tokens.flatMap(({ logprob, reference }) =>
    reference === undefined ? [] : [estimateKl(logprob, reference, options.klEstimator)],
  );
  return withoutNulls({
    kl: average(kl),
    "clip_ratio/low_mean": low,
    "clip_ratio/high_mean": high,
    "clip_ratio/region_mean": low === null || high === null ? null : low + high,
  });
}

interface LearntToken {
  logprob: number;
  sampled: number;
  advantage: number;
  reference: number | undefined;
}

/** Tokens that weigh something: of others an engine need not know the log-probability. */
function learntTokens(batch: Batch, logprobs: readonly Float32Array[]): LearntToken[] {
  const tokens: LearntToken[] = [];
  for (const [d, datum] of batch.datums.entries()) {
    for (const { start, end } of batch.learnt[d]!) {
      for (let t = start; t < end; t++) {
        if (datum.advantages![t] === 0 && !datum.klWeights?.[t]) continue;
        tokens.push({
          logprob: logprobs[d]![t]!,
          sampled: datum.logprobs![t]!,
          advantage: datum.advantages![t]!,
          reference: datum.referenceLogprobs?.[t],
        });
      }
    }
  }
  return tokens;
}

/** Folded, since a spread over a large batch would overflow the stack. */
function largest(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => Math.max(a, b));
}

function smallest(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => Math.min(a, b));
}

function quotient(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function withoutNulls(values: { [Name in keyof Metrics]: number | null }): Metrics {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as Metrics;
}
