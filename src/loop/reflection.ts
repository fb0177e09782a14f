/** Reflections on failed attempts: sampled from a policy, or put in the model's mouth as the controls do. */
import type { Conversation, Failure, Utterance } from "../core/episode.ts";
import type { Task } from "../core/task.ts";
import type { Decoding, Policy } from "./policy.ts";
import { speak } from "./speak.ts";
import { streams, utteranceSeed } from "./streams.ts";
import { type Rows, rowOf } from "./verdicts.ts";

/** A failure with a reflection on it, before any retry. */
export interface Reflection {
  failure: Failure;
  /** 0-based: which of the failure's reflections this is. */
  generation: number;
  /** Prompt, attempt, reflection prompt, reflection. */
  conversation: Conversation;
  reflection: Utterance;
}

export interface ReflectOptions {
  rows: Rows;
  /** Reflections on each failure (G). */
  numGenerations: number;
  decoding: Decoding;
  seed: number;
  step: number;
  signal?: AbortSignal;
}

/** `numGenerations` reflections on each failed attempt, side by side: index = failure · G + generation. */
export async function reflect(
  policy: Policy,
  task: Task,
  failures: readonly Failure[],
  { rows, numGenerations, decoding, seed, step, signal }: ReflectOptions,
): Promise<Reflection[]> {
  const turns = failures.flatMap((failure) => {
    const conversation = askForReflection(policy, task, failure, rows);
    return Array.from({ length: numGenerations }, (_, generation) => ({
      failure,
      generation,
      problemId: failure.problemId,
      conversation,
      seed: utteranceSeed(seed, streams.reflection, step, failure.id, generation),
    }));
  });
  const spoken = await speak(policy, turns, "reflection", decoding, signal);
  return spoken.map(({ conversation, utterance }, i) => {
    const { failure, generation } = turns[i]!;
    return { failure, generation, conversation, reflection: utterance };
  });
}

/** A reflection that the model did not write here: another problem's, filler, or another model's. */
export function insertReflection(
  policy: Policy,
  task: Task,
  failure: Failure,
  reflection: Utterance,
  { rows, generation = 0 }: { rows: Rows; generation?: number },
): Reflection {
  const asked = askForReflection(policy, task, failure, rows);
  const conversation = policy.chat.appendSampled(asked, "reflection", reflection.tokens);
  return { failure, generation, conversation, reflection };
}

/** The failed conversation with the user turn that asks for a reflection. */
export function askForReflection(policy: Policy, task: Task, failure: Failure, rows: Rows): Conversation {
  const prompt = task.reflectionPrompt(rowOf(rows, failure.problemId));
  return policy.chat.appendTurn(failure.conversation, "reflection-prompt", prompt);
}
