/** First attempts: prompt, sample, verify. */
import type { Conversation, Utterance } from "../core/episode.ts";
import type { Problem, Task, Verdict } from "../core/task.ts";
import type { Decoding, Policy } from "./policy.ts";
import { streams, utteranceSeed } from "./streams.ts";
import { rowsOf, speakAndVerify } from "./verdicts.ts";

/** A verified first attempt. */
export interface Attempt {
  problemId: string;
  /** 0-based: which of the problem's tries this is. */
  generation: number;
  /** The prompt and the attempt. */
  conversation: Conversation;
  utterance: Utterance;
  verdict: Verdict;
}

export interface AttemptOptions {
  /** Independent attempts of each problem. */
  tries: number;
  decoding: Decoding;
  seed: number;
  /** Training step, 0 before training. */
  step: number;
  signal?: AbortSignal;
}

/** `tries` attempts of each problem, those of one problem side by side: index = problem · tries + generation. */
export async function attemptProblems(
  policy: Policy,
  task: Task,
  problems: readonly Problem[],
  { tries, decoding, seed, step, signal }: AttemptOptions,
): Promise<Attempt[]> {
  const turns = problems.flatMap(({ id, row }) => {
    const conversation = policy.chat.start(task.prompt(row), task.tools?.(row));
    return Array.from({ length: tries }, (_, generation) => ({
      problemId: id,
      generation,
      conversation,
      seed: utteranceSeed(seed, streams.attempt, step, id, generation),
    }));
  });
  const rows = rowsOf(problems);
  const { spoken, verdicts } = await speakAndVerify(policy, task, turns, {
    rows,
    part: "attempt",
    decoding,
    signal,
  });
  return turns.map(({ problemId, generation }, i) => ({
    problemId,
    generation,
    ...spoken[i]!,
    verdict: verdicts[i]!,
  }));
}
