/**
 * The vocabulary of Reflect, Retry, Reward (arXiv 2505.24726 §3): an attempt fails, a reflection follows, a retry is
 * verified. Everything the model wrote is kept as the exact tokens that were sampled, never as re-encoded text.
 */
import type { Verdict } from "./task.ts";

/** Which part of an episode a run of tokens belongs to. Only "attempt", "reflection" and "retry" are sampled. */
export type Part = "prompt" | "attempt" | "reflection-prompt" | "reflection" | "retry-prompt" | "retry";

/** Tokens [start, end) of a conversation. */
export interface Span {
  part: Part;
  start: number;
  end: number;
}

/** A conversation as tokens. Spans are contiguous and cover all tokens, in order. */
export interface Conversation {
  readonly tokens: readonly number[];
  readonly spans: readonly Span[];
}

/** Something the model wrote: tokens as sampled (the end token included when it was sampled) and their text. */
export interface Utterance {
  tokens: readonly number[];
  /** ln p of each token under the distribution it was sampled from; one per token. */
  logprobs: readonly number[];
  /** Decoded for verifiers and people, without special tokens. */
  text: string;
  /** True when it was cut at its token limit and so has no end token. */
  truncated: boolean;
}

/** A failed first attempt: the unit of the training set (method.md §1.4). */
export interface Failure {
  /** Unique: problem id and try number; in a refreshed set also the step. */
  id: string;
  problemId: string;
  /** The prompt and the attempt. */
  conversation: Conversation;
  attempt: Utterance;
  verdict: Verdict;
  /** How often this very attempt was sampled; absent = once. */
  count?: number;
}

/** What became of one attempt: all that statistics and a resumed collection need. */
export interface Outcome {
  problemId: string;
  generation: number;
  verdict: Verdict;
  /** Sampled tokens, end token included. */
  length: number;
  truncated: boolean;
  /** The failed attempt, unless the problem has the same one already: then that one's id. */
  failure?: Failure;
  duplicateOf?: string;
}

/** One reflection on a failure and the retries that followed it. */
export interface Episode {
  failureId: string;
  problemId: string;
  /** Prompt, attempt, reflection prompt, reflection, retry prompt (not the retries: they branch from here). */
  conversation: Conversation;
  attempt: Utterance;
  reflection: Utterance;
  retries: readonly { utterance: Utterance; verdict: Verdict }[];
  /** Mean over scored retries of 1 (solved) or 0; null when no retry was scored. */
  reward: number | null;
}

/**
 * What a group's rewards can teach. Only a "live" one takes part in loss, denominator or KL. "tied" = equal rewards that are
 * neither 0 nor 1, which needs several retries per reflection; "unscored" = fewer than two scored members.
 */
export type GroupState = "live" | "all_failed" | "all_passed" | "tied" | "unscored";

/** G episodes on the same failure: what one advantage is computed over. */
export interface Group {
  failure: Failure;
  episodes: readonly Episode[];
}
