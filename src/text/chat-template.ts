/**
 * Renders a model's chat template into pieces: text of the template, which may hold control tokens, and message bodies,
 * which may not. Whatever the template does to a body beyond trimming it is an error, never a silent change.
 */
import { Template } from "@huggingface/jinja";
import { MulliganError } from "../core/errors.ts";
import type { Message } from "../core/task.ts";
import { type Piece, wellFormed } from "./tokenizer.ts";

/** A piece of a rendered chat; a body knows its message, template text has `message` undefined. */
export interface ChatPiece extends Piece {
  message: number | undefined;
}

export interface ChatTemplate {
  /** Joined, the pieces are the rendered chat. Throws `MulliganError("tokenizer")`. */
  render(messages: readonly Message[], addGenerationPrompt: boolean): ChatPiece[];
}

/** `variables` are bos_token, eos_token and the like. */
export function createChatTemplate(source: string, variables: Record<string, string>): ChatTemplate {
  const template = parse(source);

  const renderText = (messages: readonly Message[], addGenerationPrompt: boolean): string => {
    try {
      return template.render({
        ...variables,
        messages,
        add_generation_prompt: addGenerationPrompt,
        tools: null,
        documents: null,
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
    render(messages, addGenerationPrompt) {
      const clean = messages.map(({ role, content }) => ({ role, content: wellFormed(content) }));
      // A blank body stays: templates ask whether a message is empty, and there is nothing in it to guard.
      const hidden = clean.map(({ role, content }, index) => ({
        role,
        content: isBlank(content) ? content : sentinel(index),
      }));
      return alignBodies(
        renderText(hidden, addGenerationPrompt),
        renderText(clean, addGenerationPrompt),
        clean,
      );
    },
  };
}

const isBlank = (text: string) => text.trim() === "";
const sentinel = (index: number) => `\uE000${index}\uE001`;

/** Puts the bodies back between the frame's template text, checking that this is what the template itself renders. */
function alignBodies(frame: string, rendered: string, messages: readonly Message[]): ChatPiece[] {
  const parts = frame.split(/\uE000(\d+)\uE001/); // template text at even places, message numbers at odd ones
  const pieces: ChatPiece[] = [{ text: parts[0]!, trusted: true, message: undefined }];
  let position = parts[0]!.length;
  for (let i = 1; i < parts.length; i += 2) {
    const message = Number(parts[i]);
    const after = parts[i + 1]!;
    const { role, content } = messages[message]!;
    const body = [content, content.trim(), content.trimEnd(), content.trimStart()].find((form) =>
      rendered.startsWith(form + after, position),
    );
    if (body === undefined) throw changedText(`message ${message} (${role}) or what follows it`);
    pieces.push({ text: body, trusted: false, message }, { text: after, trusted: true, message: undefined });
    position += body.length + after.length;
  }
  const missing = messages.findIndex(
    ({ content }, index) => !isBlank(content) && !pieces.some(({ message }) => message === index),
  );
  if (missing >= 0) {
    throw changedText(`message ${missing} (${messages[missing]!.role}), which it leaves out`);
  }
  if (pieces.map(({ text }) => text).join("") !== rendered) throw changedText("a message");
  return pieces;
}

function changedText(what: string): MulliganError {
  return new MulliganError("tokenizer", `chat template: must not change message text, changes ${what}`, {
    hint: "tokens and text would no longer agree; write the message differently, or use a simpler chat_template.jinja",
  });
}

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
