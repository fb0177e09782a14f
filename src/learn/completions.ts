/**
 * A completion: one token sequence, the spans of it that learn, and the reward they share. The four ways to learn
 * (the paper's and its controls) differ here and nowhere later: batches, engine and trainer never see the mode.
 */
import type { Conversation, Episode, Group, Part, Utterance } from "../core/episode.ts";
import type { Verdict } from "../core/task.ts";
import { controlRewards, type RewardKind, verdictReward } from "./rewards.ts";

/**
 * Which spans get the advantage. "reflection" is the paper's (§3); the others are controls: "answer" is plain GRPO on
 * first attempts, "retry" multi-attempt RL, "reflection+retry" shows what the mask is worth.
 */
export type LearnFrom = "reflection" | "answer" | "retry" | "reflection+retry";

/** Sampled tokens [start, end) of a completion. */
export interface LearntSpan {
  start: number;
  end: number;
  /** ln q of each token when it was sampled. // [end - start] */
  logprobs: readonly number[];
}

export interface Completion {
  /** From the start of the conversation to the end of the last learnt span. */
  tokens: readonly number[];
  /** In order, not overlapping, none at position 0 (nothing predicts the first token). */
  learn: readonly LearntSpan[];
  /** What the advantage comes from; null = unscored. */
  reward: number | null;
  /** What the verifier said, also where a control replaced `reward`. */
  verifierReward: number | null;
  /** Completions with the same index share one baseline. */
  groupIndex: number;
  /** Was a learnt span cut at its limit? */
  truncated: boolean;
}

/** First attempts at one problem, solved or not: the group of plain GRPO. */
export interface AttemptGroup {
  problemId: string;
  attempts: readonly { conversation: Conversation; attempt: Utterance; verdict: Verdict }[];
}

/**
 * The completions of reflection groups. "reflection": one per episode, ending with the reflection, so that a retry
 * can never learn; the reward is the episode's. The others: one per retry, rewarded by that retry's own verdict.
 */
export function completionsFromEpisodes(
  groups: readonly Group[],
  learnFrom: Exclude<LearnFrom, "answer">,
): Completion[] {
  const completionsOf = learnFrom === "reflection" ? reflectionCompletions : retryCompletions;
  return groups.flatMap((group, groupIndex) =>
    group.episodes.flatMap((episode) => completionsOf(episode, groupIndex, learnFrom)),
  );
}

/** One completion per first attempt. */
export function completionsFromAttempts(groups: readonly Pick<AttemptGroup, "attempts">[]): Completion[] {
  return groups.flatMap((group, groupIndex) =>
    group.attempts.map(({ conversation, attempt, verdict }) => {
      const span = learntSpan(conversation, "attempt", attempt);
      const tokens = conversation.tokens.slice(0, span.end);
      return completion(tokens, [span], verdictReward(verdict), groupIndex, attempt.truncated);
    }),
  );
}

/** The completions of a whole batch with their rewards replaced by a control's; `verifierReward` stays. */
export function withControlRewards(
  completions: readonly Completion[],
  kind: RewardKind,
  draw: { seed: number; step: number },
): Completion[] {
  const verifierRewards = completions.map((completion) => completion.verifierReward);
  const rewards = controlRewards(verifierRewards, kind, draw);
  return completions.map((completion, i) => ({ ...completion, reward: rewards[i]! }));
}

/** Most learnt tokens of one completion, by the limits that its spans were sampled under. */
export function completionLimit(
  learnFrom: LearnFrom,
  limits: { maxAttemptLength: number; maxCompletionLength: number },
): number {
  const reflection = learnFrom.startsWith("reflection") ? limits.maxCompletionLength : 0;
  return reflection + (learnFrom === "reflection" ? 0 : limits.maxAttemptLength);
}

function reflectionCompletions(episode: Episode, groupIndex: number): Completion[] {
  const span = learntSpan(episode.conversation, "reflection", episode.reflection);
  const tokens = episode.conversation.tokens.slice(0, span.end);
  return [completion(tokens, [span], episode.reward, groupIndex, episode.reflection.truncated)];
}

function retryCompletions(episode: Episode, groupIndex: number, learnFrom: LearnFrom): Completion[] {
  const { conversation, reflection } = episode;
  const withReflection = learnFrom === "reflection+retry";
  const before = withReflection ? [learntSpan(conversation, "reflection", reflection)] : [];
  return episode.retries.map(({ utterance, verdict }) => {
    const start = conversation.tokens.length;
    const retry = { start, end: start + utterance.tokens.length, logprobs: utterance.logprobs };
    const truncated = utterance.truncated || (withReflection && reflection.truncated);
    const tokens = [...conversation.tokens, ...utterance.tokens];
    return completion(tokens, [...before, retry], verdictReward(verdict), groupIndex, truncated);
  });
}

function completion(
  tokens: readonly number[],
  learn: readonly LearntSpan[],
  reward: number | null,
  groupIndex: number,
  truncated: boolean,
): Completion {
  return { tokens, learn, reward, verifierReward: reward, groupIndex, truncated };
}

/** Refuses a span that is not token for token what was sampled: its log-probabilities would belong to other tokens. */
function learntSpan(conversation: Conversation, part: Part, utterance: Utterance): LearntSpan {
  const span = conversation.spans.find((candidate) => candidate.part === part);
  if (!span) throw new RangeError(`completion: the conversation has no ${part} span`);
  const { start, end } = span;
  const same =
    end - start === utterance.tokens.length &&
    utterance.tokens.every((token, i) => conversation.tokens[start + i] === token);
  if (!same) throw new RangeError(`completion: the ${part} span must hold exactly the sampled tokens`);
  return { start, end, logprobs: utterance.logprobs };
}
