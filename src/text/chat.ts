/**
 * Conversations with a chat model as tokens. A new turn is rendered on its own and put after the kept tokens; what was
 * sampled is never decoded and re-encoded. Must not know tasks or engines.
 */
import { join } from "node:path";
import type { Conversation } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import { recent } from "../core/recent.ts";
import type { Message, ToolDefinition } from "../core/task.ts";
import type { ChatPiece } from "./alignment.ts";
import { type ChatTemplate, type ChatText, createChatTemplate } from "./chat-template.ts";
import { createConversation, extendConversation } from "./conversation.ts";
import { createTokenizer, type Piece, type TextTokenizer } from "./tokenizer.ts";
import { readTokenizerFiles, type TokenizerFiles } from "./tokenizer-files.ts";

export interface Chat {
  readonly tokenizer: TextTokenizer;
  /** Tokens that end an assistant turn: the template's own first, then those that the folder's configs name. */
  readonly stopTokens: readonly number[];
  /**
   * The prompt, up to where the assistant is to speak. Throws `MulliganError("tokenizer")`, also when the template has no
   * place for tools, or would move parts of this prompt into a later turn.
   */
  start(messages: readonly Message[], tools?: readonly ToolDefinition[]): Conversation;
  /** Appends tokens exactly as they were sampled, the end token included where it was sampled. */
  appendSampled(
    conversation: Conversation,
    part: "attempt" | "reflection" | "retry",
    tokens: ArrayLike<number>,
  ): Conversation;
  /** Closes the assistant's turn unless its end token was sampled, adds a user turn, lets the assistant speak. */
  appendTurn(
    conversation: Conversation,
    part: "reflection-prompt" | "retry-prompt",
    content: string,
  ): Conversation;
  /** Without special tokens. */
  decode(tokens: ArrayLike<number>): string;
}

/**
 * `templateKwargs` are further variables for the chat template, such as Qwen3's `enable_thinking`; the template's own
 * text may come from them. Throws `MulliganError("tokenizer")` where tokenizer, chat template or stop tokens are missing
 * or unusable.
 */
export async function loadChat(
  folder: string,
  templateKwargs: Readonly<Record<string, unknown>> = {},
): Promise<Chat> {
  const files = await readTokenizerFiles(folder);
  if (files.template === undefined) {
    throw new MulliganError("tokenizer", `${folder}: needs a chat template, found none`, {
      hint: "use an instruct model, or add a chat_template.jinja that writes the user and assistant turns",
    });
  }
  const tokenizer = createTokenizer(files);
  const variables = { ...files.namedTokens, ...templateKwargs };
  return createChat(tokenizer, createChatTemplate(files.template, variables), files);
}

/**
 * Prompts, and later turns, that are kept as tokens: to render one is to wait for the template's thread, and a run starts the same
 * problems and asks the same things again and again. Arbitrary: a run should have fewer problems.
 */
const KEPT = 4096;

function createChat(tokenizer: TextTokenizer, template: ChatTemplate, files: TokenizerFiles): Chat {
  const laterTurn = renderTurn(template, "c");
  const endOfTurn = findEndOfTurn(tokenizer, laterTurn);
  const tokensOfTurn = recent(KEPT, (content) => tokenizer.encodePieces(renderTurn(template, content)));
  const tokensOfPrompt = recent(KEPT, (key) => {
    const [messages, tools] = JSON.parse(key) as [Message[], ToolDefinition[]];
    const chat = { messages, tools };
    const [prompt, continued] = template.render([chat, withTurn(chat, "c")]);
    requireSameTurn(laterTurn, turnAfter(chat, continued!));
    return tokenizer.encodePieces(prompt!);
  });
  return {
    tokenizer,
    stopTokens: collectStopTokens(tokenizer, endOfTurn, files),
    start: (messages, tools = []) => createConversation(tokensOfPrompt(JSON.stringify([messages, tools]))),
    appendSampled: extendConversation,
    appendTurn(conversation, part, content) {
      const delta = tokensOfTurn(content);
      // Encoded with its end token and cut after, because some end tokens swallow the white space that follows.
      const isClosed = endOfTurn !== undefined && lastSampled(conversation) === endOfTurn;
      return extendConversation(
        conversation,
        part,
        isClosed ? delta.slice(delta.indexOf(endOfTurn) + 1) : delta,
      );
    },
    decode: (tokens) => tokenizer.decode(Array.from(tokens)),
  };
}

/** The last token of the last span; undefined for an empty span. */
function lastSampled({ tokens, spans }: Conversation): number | undefined {
  const last = spans.at(-1);
  return last && last.end > last.start ? tokens[last.end - 1] : undefined;
}

/** What the template puts after an assistant's words when the user speaks next, up to the assistant's next words. */
function renderTurn(template: ChatTemplate, content: string): Piece[] {
  // The two earlier bodies are placeholders: templates may rewrite earlier turns, but kept tokens are kept.
  const chat: ChatText = { messages: [{ role: "user", content: "a" }], tools: [] };
  return turnAfter(chat, template.render([withTurn(chat, content)])[0]!);
}

/** The chat with an answer and the user's next words. */
function withTurn({ messages, tools }: ChatText, content: string): ChatText {
  return { messages: [...messages, { role: "assistant", content: "b" }, { role: "user", content }], tools };
}

/** Of that chat's pieces those after the answer. */
function turnAfter({ messages }: ChatText, pieces: readonly ChatPiece[]): Piece[] {
  return pieces.slice(pieces.findIndex(({ message }) => message === messages.length) + 1);
}

/** Does the template write the turn after a prompt as `appendTurn` does? Kept tokens cannot follow it otherwise. */
function requireSameTurn(wantedTurn: readonly Piece[], writtenTurn: readonly Piece[]): void {
  const [wanted, written] = [wantedTurn, writtenTurn].map((pieces) =>
    pieces.map(({ text }) => text).join(""),
  ) as [string, string];
  if (written === wanted) return;
  throw new MulliganError(
    "tokenizer",
    `chat template: must write a later turn as ${shown(wanted)} after any prompt, got ${shown(written)}`,
    {
      hint: "it moves the system message or the tools into the last turn, but tokens once written are kept: put them into the user message, or set chatTemplateKwargs",
    },
  );
}

const shown = (text: string) => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** The first control token that the template writes after an assistant's words, before the user's. */
function findEndOfTurn(tokenizer: TextTokenizer, turn: readonly Piece[]): number | undefined {
  const closing = turn.slice(
    0,
    turn.findIndex(({ trusted }) => !trusted),
  );
  return tokenizer.encodePieces(closing).find((id) => tokenizer.controlIds.has(id));
}

function collectStopTokens(
  tokenizer: TextTokenizer,
  endOfTurn: number | undefined,
  { folder, namedTokens, stopIds }: TokenizerFiles,
): number[] {
  const eos = namedTokens.eos_token;
  const eosId = eos === undefined ? undefined : tokenizer.specialId(eos);
  if (eos !== undefined && eosId === undefined) {
    throw new MulliganError(
      "tokenizer",
      `${join(folder, "tokenizer_config.json")}: eos_token must be an added token of tokenizer.json, got "${eos}"`,
    );
  }
  const stops = new Set([endOfTurn, eosId, ...stopIds].filter((id) => id !== undefined));
  if (stops.size === 0) {
    throw new MulliganError(
      "tokenizer",
      `${folder}: needs a token that ends an assistant's turn, found none`,
      {
        hint: "set eos_token in tokenizer_config.json, or eos_token_id in generation_config.json",
      },
    );
  }
  return [...stops];
}
