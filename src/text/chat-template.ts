/**
 * Renders a model's chat template into pieces: text of the template, which may hold control tokens, and text given to it
 * (message bodies, strings of tool definitions), which may not. What the template changes is an error, never silent.
 */
import { Template } from "@huggingface/jinja";
import { MulliganError } from "../core/errors.ts";
import type { Message, ToolDefinition } from "../core/task.ts";
import { alignBodies, type Body, type ChatPiece, isBlank, markOf } from "./alignment.ts";
import { wellFormed } from "./tokenizer.ts";
import { mapToolText } from "./tool-text.ts";

export interface ChatTemplate {
  /** Joined, the pieces are the rendered chat. Throws `MulliganError("tokenizer")`. */
  render(
    messages: readonly Message[],
    addGenerationPrompt: boolean,
    tools?: readonly ToolDefinition[],
  ): ChatPiece[];
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
  const template = parse(source);

  const renderText = ({ messages, tools }: Given, addGenerationPrompt: boolean): string => {
    try {
      return template.render({
        documents: null,
        ...variables,
        messages,
        add_generation_prompt: addGenerationPrompt,
        tools: tools.length > 0 ? tools : null,
        mulligan_date: formatFixedDate,
      });
    } catch (cause) {
      const roles = messages.map(({ role }) => role).join(", ");
      throw new MulliganError(
        "tokenizer",
        `chat template: must render the turns ${roles || "(none)"}, failed with: ${(cause as Error).message}`,
        { hint: "some templates allow no system turn, or only user and assistant in turn", cause },
      );
    }
  };

  return {
    render(messages, addGenerationPrompt, tools = []) {
      const given: Given = {
        messages: messages.map(({ role, content }) => ({ role, content: wellFormed(content) })),
        tools: mapToolText(tools, wellFormed),
      };
      const { marked, bodies } = markBodies(given);
      return alignBodies(
        renderText(marked, addGenerationPrompt),
        renderText(given, addGenerationPrompt),
        bodies,
      );
    },
  };
}

interface Given {
  messages: readonly Message[];
  tools: readonly ToolDefinition[];
}

/** The same with a mark in place of each text, and the texts. */
function markBodies({ messages, tools }: Given): { marked: Given; bodies: Body[] } {
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

const OWN_VARIABLES = ["messages", "tools", "add_generation_prompt", "strftime_now", "mulligan_date"];

function parse(source: string): Template {
  try {
    const template = new Template(source);
    // The library defines strftime_now as today and refuses a second definition, so the template itself redefines it.
    template.parsed.body.unshift(...new Template("{% set strftime_now = mulligan_date %}").parsed.body);
    return template;
  } catch (cause) {
    throw new MulliganError(
      "tokenizer",
      `chat template: must be valid Jinja, got ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

// 26 July 2024 is the date that Llama's templates fall back to; a fixed one keeps prompts the same on every day.
const FIXED_DATE: Record<string, string> = {
  "%Y": "2024",
  "%y": "24",
  "%m": "07",
  "%b": "Jul",
  "%B": "July",
  "%d": "26",
  "%a": "Fri",
  "%A": "Friday",
  "%H": "00",
  "%M": "00",
  "%S": "00",
  "%%": "%",
};

function formatFixedDate(format: string): string {
  return format.replace(/%./g, (code) => FIXED_DATE[code] ?? code);
}
