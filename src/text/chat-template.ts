/**
 * Renders a model's chat template into pieces: text of the template, which may hold control tokens, and text given to it
 * (message bodies, strings of tool definitions), which may not. What the template changes is an error, never silent.
 */
import { MulliganError } from "../core/errors.ts";
import type { Message, ToolDefinition } from "../core/task.ts";
import { alignBodies, type Body, type ChatPiece, isBlank, markOf } from "./alignment.ts";
import type { RenderReply, RenderRequest } from "./template-protocol.ts";
import { renderInThread } from "./template-thread.ts";
import { wellFormed } from "./tokenizer.ts";
import { mapToolText } from "./tool-text.ts";

export interface ChatTemplate {
  /**
   * Several chats, by default up to where the assistant is to speak, in hardly more time than one: most of it is waiting.
   * Joined, the pieces are the rendered chat. Throws `MulliganError("tokenizer")`.
   */
  render(chats: readonly ChatText[], addGenerationPrompt?: boolean): ChatPiece[][];
}

/** What a template is given. */
export interface ChatText {
  messages: readonly Message[];
  tools: readonly ToolDefinition[];
}

/** `variables` are bos_token, eos_token and the like. Throws `MulliganError("tokenizer")`. */
export function createChatTemplate(
  source: string,
  variables: Readonly<Record<string, unknown>>,
): ChatTemplate {
  const own = OWN_VARIABLES.find((name) => Object.hasOwn(variables, name));
  if (own !== undefined) {
    throw new MulliganError(
      "tokenizer",
      `chat template: the variable ${own} must be left to the chat itself`,
      {
        hint: "messages and tools come from the task; remove it from chatTemplateKwargs",
      },
    );
  }
  requireTemplate(source);
  const render: ChatTemplate["render"] = (chats, addGenerationPrompt = true) => {
    const given = chats.map(({ messages, tools }) => ({
      messages: messages.map(({ role, content }) => ({ role, content: wellFormed(content) })),
      tools: mapToolText(tools, wellFormed),
    }));
    const guarded = given.map(markBodies);
    // a chat's frame and then its text, chat by chat
    const contexts = given.flatMap((chat, i) =>
      [guarded[i]!.marked, chat].map(({ messages, tools }) => ({
        ...variables,
        messages,
        add_generation_prompt: addGenerationPrompt,
        tools: tools.length > 0 ? tools : null,
      })),
    );
    const texts = renderAll(source, contexts, (at) => {
      const roles = given[Math.floor(at / 2)]!.messages.map(({ role }) => role);
      return `must render the turns ${roles.join(", ") || "(none)"}`;
    });
    return guarded.map(({ bodies }, i) => alignBodies(texts[2 * i]!, texts[2 * i + 1]!, bodies));
  };

  return { render };
}

/** The same with a mark in place of each text, and the texts. */
function markBodies({ messages, tools }: ChatText): { marked: ChatText; bodies: Body[] } {
  const bodies = messages.map(
    ({ role, content }, message): Body => ({
      text: content,
      label: `message ${message} (${role})`,
      message,
      required: true,
    }),
  );
  const names = new Set(tools.map((tool) => tool.function.name));
  const indexOf = new Map<string, number>(); // one mark for one text: templates look names up in lists
  const mark = (text: string) => {
    if (isBlank(text)) return text;
    if (!indexOf.has(text)) {
      indexOf.set(text, bodies.length);
      bodies.push({ text, label: `"${text}"`, message: undefined, required: names.has(text) });
    }
    return markOf(indexOf.get(text)!);
  };
  return {
    marked: {
      messages: messages.map(({ role, content }, index) => ({
        role,
        content: isBlank(content) ? content : markOf(index),
      })),
      tools: mapToolText(tools, mark),
    },
    bodies,
  };
}

const OWN_VARIABLES = ["messages", "tools", "add_generation_prompt", "strftime_now"];

/** Longest source. The longest published ones have some 20,000 characters; the parser's time grows faster than its source. */
const MAX_SOURCE = 2 ** 17;

function requireTemplate(source: string): void {
  if (source.length > MAX_SOURCE) {
    throw new MulliganError(
      "tokenizer",
      `chat template: must have at most ${MAX_SOURCE} characters, got ${source.length}`,
      { hint: "take the template from the model's own folder" },
    );
  }
  renderAll(source, [], () => "must be valid Jinja");
}

/** `rule` is for messages: what the template must do with the context at this place. */
function renderAll(
  source: string,
  contexts: RenderRequest["contexts"],
  rule: (at: number) => string,
): string[] {
  let reply: RenderReply;
  try {
    reply = renderInThread({ source, contexts });
  } catch (cause) {
    throw new MulliganError("tokenizer", `chat template: cannot be rendered: ${(cause as Error).message}`, {
      hint: "chatTemplateKwargs must be plain data: text, numbers, true or false, lists and objects of them",
      cause,
    });
  }
  if ("texts" in reply) return reply.texts;
  if (reply.failed === "parse") {
    throw new MulliganError("tokenizer", `chat template: must be valid Jinja, got ${reply.reason}`, {
      hint: "take the template from the model's own folder",
    });
  }
  throw new MulliganError("tokenizer", `chat template: ${rule(reply.at)}, failed with: ${reply.reason}`, {
    hint: "some templates allow no system turn, or only user and assistant in turn",
  });
}
