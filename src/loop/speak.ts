/**
 * Samples one utterance for each conversation and appends it, in as few engine calls as possible. What is kept are the
 * sampled tokens themselves; text is only decoded for verifiers and people.
 */
import type { Conversation, Part, Utterance } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Decoding, Policy } from "./policy.ts";

/** A conversation whose next speaker is the model. */
export interface Turn {
  /** Only for messages. */
  problemId: string;
  conversation: Conversation;
  seed: number;
}

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
  part: Extract<Part, "attempt" | "reflection" | "retry">,
  decoding: Decoding,
  signal?: AbortSignal,
): Promise<Spoken[]> {
  const { engine, chat } = policy;
  for (const turn of turns) requireRoom(turn, part, engine.info.contextLength);
  const params = { ...decoding, stop: chat.stopTokens };
  const spoken: Spoken[] = [];
  for (let start = 0; start < turns.length; start += rowsPerCall) {
    signal?.throwIfAborted();
    const chunk = turns.slice(start, start + rowsPerCall);
    const requests = chunk.map(({ conversation, seed }) => ({ prompt: conversation.tokens, seed }));
    const samples = await engine.sample(requests, params);
    for (const [i, { conversation }] of chunk.entries()) {
      const sample = samples[i]!;
      const tokens = Array.from(sample.tokens);
      spoken.push({
        conversation: chat.appendSampled(conversation, part, tokens),
        utterance: {
          tokens,
          logprobs: Array.from(sample.logprobs),
          text: chat.decode(tokens),
          truncated: sample.stopReason === "length",
        },
      });
    }
  }
  return spoken;
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
