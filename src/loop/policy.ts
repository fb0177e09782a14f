/** Who speaks and how: an engine's sampler, the chat that turns text into its tokens, and decoding settings. */
import { MulliganError } from "../core/errors.ts";
import type { Engine } from "../engine/contract.ts";
import { type Chat, loadChat } from "../text/chat.ts";

/** For who needs words as tokens before there is an engine. */
export { type Chat, loadChat };

export interface Policy {
  engine: Pick<Engine, "sample" | "info" | "forget">;
  chat: Omit<Chat, "tokenizer">;
}

/** An engine with the chat of the model folder it was started from. Throws `MulliganError("tokenizer")`. */
export function policyOf<E extends Policy["engine"]>(
  engine: E,
  chat: Chat,
  modelFolder: string,
): { engine: E; chat: Chat } {
  const largest = chat.tokenizer.vocabSize - 1;
  if (largest < engine.info.vocabSize) return { engine, chat };
  throw new MulliganError(
    "tokenizer",
    `${modelFolder}: the tokenizer's ids must be under vocab_size ${engine.info.vocabSize}, got ${largest}`,
    { hint: "tokenizer.json and config.json belong to different models" },
  );
}

export interface Decoding {
  /** 0 = greedy. */
  temperature: number;
  /** 1 = off. */
  topP: number;
  /** 0 = off. */
  topK: number;
  maxTokens: number;
}
