/**
 * What a training step did with one group, for people and programs that look into a run: every text, token and verdict,
 * and what was learnt from each. Numbers as the trainer used them; no clock reading, so that equal runs leave equal traces.
 */
import type { GroupState, Utterance } from "./episode.ts";
import type { Verdict } from "./task.ts";

interface GroupTrace {
  /** First, so that a reader who looks for a step need not parse what follows. */
  step: number;
  problemId: string;
  /** Content of the last message that opens an attempt. */
  question: string;
  /** Tokens before the attempt. */
  prompt: readonly number[];
  state: GroupState;
}

/**
 * Reflections on one failed attempt, each with its retries. The conversation is prompt, attempt, reflectionPrompt,
 * reflection, retryPrompt; each retry follows that.
 */
export interface ReflectionsTrace extends GroupTrace {
  kind: "reflections";
  failureId: string;
  attempt: Utterance;
  verdict: Verdict;
  episodes: readonly EpisodeTrace[];
}

export interface EpisodeTrace {
  /** Tokens of the turn that asks for a reflection. */
  reflectionPrompt: readonly number[];
  reflection: Utterance;
  /** Tokens of the turn that puts the task again. */
  retryPrompt: readonly number[];
  retries: readonly RetryTrace[];
  /** What the verifier says of the retries, whatever a control rewards: their mean, null when none was scored. */
  reward: number | null;
  /** Where reflections alone learn: before normalisation; null = took no part. */
  advantage?: number | null;
  /** Does the reflection hold a complete solution? Absent where the task cannot tell. */
  leaks?: boolean;
}

export interface RetryTrace {
  utterance: Utterance;
  verdict: Verdict;
  /** Where retries learn, together with the reflection or alone. */
  advantage?: number | null;
}

/** First attempts at one problem, where these learn. */
export interface AttemptsTrace extends GroupTrace {
  kind: "attempts";
  attempts: readonly { attempt: Utterance; verdict: Verdict; advantage: number | null }[];
}

export type Trace = ReflectionsTrace | AttemptsTrace;
