/** First attempts: prompt, sample, verify. */
import type { Conversation, Failure, Utterance } from "../core/episode.ts";
import type { Problem, Task, Verdict } from "../core/task.ts";
import type { Decoding, Policy } from "./policy.ts";
import type { Turn } from "./speak.ts";
import { streams, utteranceSeed } from "./streams.ts";
import { answerInCalls, rowsOf, speakAndVerify } from "./verdicts.ts";

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

/** An attempt that is still to be made. */
export interface Try {
  problem: Problem;
  generation: number;
}

export interface TryOptions {
  decoding: Decoding;
  seed: number;
  /** Training step, 0 before training. */
  step: number;
  signal?: AbortSignal | undefined;
}

export interface AttemptOptions extends TryOptions {
  /** Independent attempts of each problem. */
  tries: number;
}

/** `tries` attempts of each problem, those of one problem side by side: index = problem · tries + generation. */
export async function attemptProblems(
  policy: Policy,
  task: Task,
  problems: readonly Problem[],
  { tries, ...options }: AttemptOptions,
): Promise<Attempt[]> {
  const all = problems.flatMap((problem) =>
    Array.from({ length: tries }, (_, generation) => ({ problem, generation })),
  );
  const turns = turnsOf(policy, task, all, options);
  const { spoken, verdicts } = await speakAndVerify(policy, task, turns, {
    rows: rowsOf(problems),
    part: "attempt",
    ...options,
  });
  return all.map((one, i) => ({ ...namesOf(one), ...spoken[i]!, verdict: verdicts[i]! }));
}

/** Makes the tries in order, engine call by engine call; while one is verified and looked at, the next is sampled. */
export async function* attemptInCalls(
  policy: Policy,
  task: Task,
  tries: readonly Try[],
  options: TryOptions,
): AsyncGenerator<Attempt[]> {
  const rows = rowsOf(tries.map(({ problem }) => problem));
  const turns = turnsOf(policy, task, tries, options);
  let done = 0;
  for await (const { spoken, verdicts } of answerInCalls(policy, task, turns, {
    rows,
    part: "attempt",
    ...options,
  })) {
    const start = done;
    done += spoken.length;
    yield spoken.map((one, i) => ({ ...namesOf(tries[start + i]!), ...one, verdict: verdicts[i]! }));
  }
}

const namesOf = ({ problem, generation }: Try) => ({ problemId: problem.id, generation });

function turnsOf(
  policy: Policy,
  task: Task,
  tries: readonly Try[],
  { seed, step }: Pick<TryOptions, "seed" | "step">,
): Turn[] {
  const openings = new Map<string, Conversation>();
  return tries.map(({ problem, generation }) => {
    const conversation = openings.get(problem.id) ?? openAttempt(policy, task, problem);
    openings.set(problem.id, conversation);
    const drawn = utteranceSeed(seed, streams.attempt, step, problem.id, generation);
    return { problemId: problem.id, conversation, seed: drawn };
  });
}

/** The conversation in which the model is to make its attempt. */
export function openAttempt({ chat }: Pick<Policy, "chat">, task: Task, { row }: Problem): Conversation {
  return chat.start(task.prompt(row), task.tools?.(row));
}

/** The failed attempt as an item of the training set. Step 0 is before training. */
export function failureFromAttempt(
  { problemId, generation, conversation, utterance, verdict }: Attempt,
  step: number,
): Failure {
  const id = `${problemId}#${generation}${step === 0 ? "" : `@${step}`}`;
  return { id, problemId, conversation, attempt: utterance, verdict };
}
