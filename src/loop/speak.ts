/**
 * Samples one utterance for each conversation and appends it, in as few engine calls as possible. What is kept are the
 * sampled tokens themselves; text is only decoded for verifiers and people.
 */
import type { Conversation, Part, Utterance } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Sample } from "../engine/contract.ts";
import type { Decoding, Policy } from "./policy.ts";

/** A conversation whose next speaker is the model. */
export interface Turn {
  /** Only for messages. */
  problemId: string;
  conversation: Conversation;
  seed: number;
}

export type SpokenPart = Extract<Part, "attempt" | "reflection" | "retry">;

export interface Spoken {
  /** The conversation with the utterance appended. */
  conversation: Conversation;
  utterance: Utterance;
}

/** Most rows of one engine call: bounds the memory of its key-value cache. Arbitrary. */
const rowsPerCall = 256;

/** One utterance per turn, in order. Throws `MulliganError("context")`, or the signal's reason between engine calls. */
export async function speak(
  policy: Policy,
  turns: readonly Turn[],
  part: SpokenPart,
  decoding: Decoding,
  signal?: AbortSignal,
): Promise<Spoken[]> {
  const spoken: Spoken[] = [];
  for await (const some of speakInCalls(policy, turns, part, decoding, signal)) spoken.push(...some);
  return spoken;
}

/**
 * The same, engine call by engine call. While the caller looks at what one call gave the next one is already under way:
 * what it does there takes no time of its own.
 */
export async function* speakInCalls(
  { engine, chat }: Policy,
  turns: readonly Turn[],
  part: SpokenPart,
  decoding: Decoding,
  signal?: AbortSignal,
): AsyncGenerator<Spoken[]> {
  for (const turn of turns) requireRoom(turn, part, engine.info.contextLength);
  const params = { ...decoding, stop: chat.stopTokens };
  const sample = (start: number) => {
    const requests = turns.slice(start, start + rowsPerCall);
    return engine.sample(
      requests.map(({ conversation, seed }) => ({ prompt: conversation.tokens, seed })),
      params,
    );
  };
  let next: Promise<Sample[]> | undefined;
  for (let start = 0; start < turns.length; start += rowsPerCall) {
    signal?.throwIfAborted();
    const samples = await (next ?? sample(start));
    const following = start + rowsPerCall;
    next = following < turns.length && !signal?.aborted ? sample(following) : undefined;
    next?.catch(() => {}); // thrown above, unless the caller has stopped
    yield samples.map(({ tokens: sampled, logprobs, stopReason }, i) => {
      const tokens = Array.from(sampled);
      return {
        conversation: chat.appendSampled(turns[start + i]!.conversation, part, tokens),
        utterance: {
          tokens,
          logprobs: Array.from(logprobs),
          text: chat.decode(tokens),
          truncated: stopReason === "length",
        },
      };
    });
  }
}

/** One token of room is enough: what does not fit after that is a truncated utterance, not an error. */
function requireRoom({ problemId, conversation }: Turn, part: Part, contextLength: number): void {
  const length = conversation.tokens.length;
  if (length < contextLength) return;
  throw new MulliganError(
    "context",
    `problem "${problemId}": the conversation before its ${part} must be shorter than the model's context of ${contextLength} tokens, got ${length}`,
    {
      hint: "lower maxAttemptLength or maxCompletionLength, shorten the prompts, or use a model with a longer context",
    },
  );
}
