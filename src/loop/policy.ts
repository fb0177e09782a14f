/** Who speaks and how: an engine's sampler, the chat that turns text into its tokens, and decoding settings. */
import type { Engine } from "../engine/contract.ts";
import type { Chat } from "../text/chat.ts";

export interface Policy {
  engine: Pick<Engine, "sample" | "info">;
  chat: Omit<Chat, "tokenizer">;
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
