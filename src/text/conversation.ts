/**
 * Conversations grow by whole spans and never change what they hold: every longer one has the shorter as an exact prefix
 * of tokens, which masks and key-value caches rely on. Knows nothing of text.
 */
import type { Conversation, Part, Span } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";

export function createConversation(prompt: readonly number[]): Conversation {
  return { tokens: [...prompt], spans: [{ part: "prompt", start: 0, end: prompt.length }] };
}

/** A new conversation with one more span. Throws `MulliganError("tokenizer")` when an invariant does not hold. */
export function extendConversation(
  conversation: Conversation,
  part: Part,
  tokens: ArrayLike<number>,
): Conversation {
  const last = conversation.spans.at(-1);
  if (!last || isSampled(last.part) === isSampled(part)) {
    const rule = isSampled(part) ? "must follow a prompt" : "must follow what the model wrote";
    throw new MulliganError("tokenizer", `conversation: "${part}" ${rule}, got it after "${last?.part}"`);
  }
  const start = conversation.tokens.length;
  const extended = {
    tokens: [...conversation.tokens, ...Array.from(tokens)],
    spans: [...conversation.spans, { part, start, end: start + tokens.length }],
  };
  checkCovered(extended.tokens, extended.spans);
  checkPrefix(conversation, extended);
  return extended;
}

/** Was this part written by the model, token by token? */
function isSampled(part: Part): boolean {
  return part === "attempt" || part === "reflection" || part === "retry";
}

/** Spans are contiguous and cover all tokens, in order. */
export function checkCovered(tokens: readonly number[], spans: readonly Span[]): void {
  let position = 0;
  for (const { part, start, end } of spans) {
    if (start !== position || end < start) {
      throw new MulliganError(
        "tokenizer",
        `conversation: spans must follow each other without gap, got "${part}" [${start}, ${end}) at ${position}`,
      );
    }
    position = end;
  }
  if (position !== tokens.length) {
    throw new MulliganError(
      "tokenizer",
      `conversation: spans must cover all ${tokens.length} tokens, got the first ${position}`,
    );
  }
}

/** The shorter conversation's tokens and spans open the longer one, unchanged. */
export function checkPrefix(shorter: Conversation, longer: Conversation): void {
  const token = shorter.tokens.findIndex((id, index) => id !== longer.tokens[index]);
  if (token >= 0) {
    throw new MulliganError(
      "tokenizer",
      `conversation: earlier tokens must stay, got ${longer.tokens[token]} for ${shorter.tokens[token]} at ${token}`,
    );
  }
  const span = shorter.spans.findIndex(({ part, start, end }, index) => {
    const other = longer.spans[index];
    return part !== other?.part || start !== other.start || end !== other.end;
  });
  if (span >= 0) {
    throw new MulliganError(
      "tokenizer",
      `conversation: earlier spans must stay, span ${span} "${shorter.spans[span]!.part}" does not`,
    );
  }
}
