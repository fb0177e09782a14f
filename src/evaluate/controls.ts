/**
 * What else could explain a rescue (method.md §9.3): a retry without reflection, another problem's reflection, neutral
 * tokens of the same length. Inserted reflections get the same retry draws as the policy's own, so they compare in pairs.
 */
import type { Failure, Utterance } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import { hashText } from "../core/rng.ts";
import type { Task, Verdict } from "../core/task.ts";
import type { Policy } from "../loop/policy.ts";
import { insertReflection } from "../loop/reflection.ts";
import { plainRetry, type RetryOptions, retryAfterReflection } from "../loop/retry.ts";
import { type EvaluationProgress, inBatches } from "./batches.ts";

export type Outcome = Verdict["kind"];

/** A policy whose chat can also encode plain text, which filler is made of; any `Chat` does. */
export type EvaluatedPolicy = Policy & { chat: { tokenizer: { encode(text: string): readonly number[] } } };

/** A failure and the reflection that is to follow it, whoever wrote that. */
export interface Reflected {
  failure: Failure;
  reflection: Utterance;
}

export interface ControlOutcomes {
  /** "That was wrong, try again", without asking for a reflection. */
  plainRetry: Outcome;
  /** After a reflection that the policy wrote on another problem; absent when there is no other problem. */
  shuffled?: Outcome;
  /** After as many neutral tokens. */
  filler: Outcome;
}

export type ControlOptions = Omit<RetryOptions, "retries"> & {
  onProgress?: (progress: EvaluationProgress) => void;
};

/** The controls of each failure with the policy's own reflections on all of them, in order. */
export async function runControls(
  policy: EvaluatedPolicy,
  task: Task,
  reflected: readonly Reflected[],
  { onProgress, ...options }: ControlOptions,
): Promise<ControlOutcomes[]> {
  const retryOptions = { ...options, retries: 1 };
  const plain = await inBatches(
    "retries without reflection",
    reflected.map(({ failure }) => failure),
    async (batch) => (await plainRetry(policy, task, batch, retryOptions)).map(outcomeOf),
    onProgress,
  );
  const inserted = (stage: string, items: readonly Reflected[]) =>
    inBatches(stage, items, (batch) => retryAfterInserted(policy, task, batch, options), onProgress);

  const donors = shuffleReflections(reflected);
  const places = donors.flatMap((donor, i) => (donor ? [i] : []));
  const shuffled = await inserted(
    "another problem's reflections",
    places.map((i) => ({ failure: reflected[i]!.failure, reflection: donors[i]! })),
  );
  const shuffledAt = new Map(places.map((place, i) => [place, shuffled[i]!]));
  const filler = await inserted(
    "filler instead of reflections",
    reflected.map(({ failure, reflection }) => ({ failure, reflection: fillerLike(policy, reflection) })),
  );
  return reflected.map((_, i) => ({
    plainRetry: plain[i]!,
    ...(shuffledAt.has(i) && { shuffled: shuffledAt.get(i)! }),
    filler: filler[i]!,
  }));
}

/** One retry of each failure after the reflection given, put in the policy's mouth token by token. */
export async function retryAfterInserted(
  policy: Policy,
  task: Task,
  reflected: readonly Reflected[],
  options: Omit<RetryOptions, "retries">,
): Promise<Outcome[]> {
  const reflections = reflected.map(({ failure, reflection }) =>
    insertReflection(policy, task, failure, reflection, options),
  );
  const episodes = await retryAfterReflection(policy, task, reflections, { ...options, retries: 1 });
  return episodes.map(outcomeOf);
}

/**
 * For each failure, a reflection on another problem's of nearly the same length: neighbours in order of length change
 * places. Ties are ordered by hash, since neighbouring problems may be alike.
 */
export function shuffleReflections(reflected: readonly Reflected[]): (Utterance | undefined)[] {
  const length = (i: number) => reflected[i]!.reflection.tokens.length;
  const tie = (i: number) => hashText(reflected[i]!.failure.id);
  const order = reflected.map((_, i) => i).sort((a, b) => length(a) - length(b) || tie(a) - tie(b));
  const donors: (Utterance | undefined)[] = reflected.map(() => undefined);
  for (const [position, i] of order.entries()) {
    const { problemId } = reflected[i]!.failure;
    const side = position % 2 === 0 ? 1 : -1;
    for (let distance = 1; distance < order.length && !donors[i]; distance++) {
      const other = [position + side * distance, position - side * distance]
        .map((place) => reflected[order[place] ?? -1])
        .find((item) => item !== undefined && item.failure.problemId !== problemId);
      donors[i] = other?.reflection;
    }
  }
  return donors;
}

/** Dots, as many tokens as the reflection has, with the same end token or none. Throws `MulliganError("tokenizer")`. */
export function fillerLike({ chat }: EvaluatedPolicy, reflection: Utterance): Utterance {
  const dot = chat.tokenizer.encode(".");
  if (dot.length === 0) {
    throw new MulliganError("tokenizer", 'filler: "." must have a token, got none', {
      hint: "evaluate without controls, or add the full stop to the tokenizer's vocabulary",
    });
  }
  const last = reflection.tokens.at(-1);
  const end = last !== undefined && chat.stopTokens.includes(last) ? [last] : [];
  const length = reflection.tokens.length - end.length;
  // Encoded once and repeated: a run of dots would merge into fewer tokens.
  const dots = Array.from({ length }, (_, t) => dot[t % dot.length]!);
  const tokens = [...dots, ...end];
  const logprobs = tokens.map(() => 0);
  return { tokens, logprobs, text: chat.decode(tokens), truncated: reflection.truncated };
}

/** The outcome of an item with a single retry. */
function outcomeOf({ retries }: { retries: readonly { verdict: Verdict }[] }): Outcome {
  return retries[0]!.verdict.kind;
}
