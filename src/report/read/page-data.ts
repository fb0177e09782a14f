/**
 * What the page's browser of episodes is given as JSON: the shapes that the reader writes and the page's script reads.
 * Texts are plain text with every control character but line breaks and tabs replaced.
 */
import type { GroupState } from "../../core/episode.ts";
import type { Verdict } from "../../core/task.ts";

/** Something that the model wrote. Pieces are given where tokens are shown one by one; they replace the text. */
export interface PageText {
  text?: string;
  pieces?: string[];
  /** ln p of each piece. */
  logprobs?: number[];
  /** Sampled tokens, end token included. */
  tokens: number;
  /** Cut at its token limit. */
  truncated?: true;
  /** Characters that are not shown. */
  omitted?: number;
}

export interface PageRetry {
  retry: PageText;
  verdict: Verdict;
  advantage?: number | null;
}

/** A reflection with its retries. */
export interface PageEpisode {
  reflection: PageText;
  retries: PageRetry[];
  reward: number | null;
  advantage?: number | null;
  leaks?: boolean;
}

interface PageGroupBase {
  step: number;
  /** Failure id, or problem id where attempts learn. */
  id: string;
  question: string;
  state: GroupState;
}

/** What training did with one failed attempt. */
export interface PageReflections extends PageGroupBase {
  kind: "reflections";
  attempt: PageText;
  verdict: Verdict;
  episodes: PageEpisode[];
}

/** Or with one problem, where first attempts learn. */
export interface PageAttempts extends PageGroupBase {
  kind: "attempts";
  attempts: PageRetry[];
}

export type PageGroup = PageReflections | PageAttempts;

/** What one model made of a failure of the test problems. */
export interface PageOutcome {
  reflection: PageText;
  retry: PageText;
  verdict: Verdict;
  leaks?: boolean;
}

/** A failure of the starting model on the test problems, before and after training. */
export interface PageFailure {
  id: string;
  question: string;
  attempt: PageText;
  verdict: Verdict;
  start: PageOutcome;
  /** Absent while the run is not finished. */
  trained?: PageOutcome;
}

export interface PageData {
  groups: PageGroup[];
  failures: PageFailure[];
}
