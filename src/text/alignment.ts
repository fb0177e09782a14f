/**
 * Finds in a rendered chat what came in from outside: message bodies and strings of tool definitions. The template is
 * rendered twice, once with a mark in place of each; where the two cannot be laid over each other the chat is refused.
 */
import { MulliganError } from "../core/errors.ts";
import type { Piece } from "./tokenizer.ts";

/** Text that is given to a template; its index in the list of all is the number in its mark. */
export interface Body {
  text: string;
  /** For messages: "message 0 (user)". */
  label: string;
  /** Which message's body this is; undefined in a tool definition. */
  message: number | undefined;
  /** Must the template write it? */
  required: boolean;
}

/** A piece of a rendered chat; a body of a message knows its message, all else has `message` undefined. */
export interface ChatPiece extends Piece {
  message: number | undefined;
}

/** What stands for a body in the frame. */
export const markOf = (index: number) => `\uE000${index}\uE001`;

/** Templates ask whether a text is empty, and there is nothing in a blank one to guard: it is not marked. */
export const isBlank = (text: string) => text.trim() === "";

/**
 * Puts the bodies back between the frame's template text, checking that this is what the template itself renders.
 * Throws `MulliganError("tokenizer")`.
 */
export function alignBodies(frame: string, rendered: string, bodies: readonly Body[]): ChatPiece[] {
  const parts = frame.split(/\uE000(\d+)\uE001/); // template text at even places, marks' numbers at odd ones
  const pieces: ChatPiece[] = [{ text: parts[0]!, trusted: true, message: undefined }];
  const written = new Set<number>();
  let position = parts[0]!.length;
  for (let i = 1; i < parts.length; i += 2) {
    const index = Number(parts[i]);
    const after = parts[i + 1]!;
    const { text, label, message } = bodies[index]!;
    const body = formsOf(text, message).find((form) => rendered.startsWith(form + after, position));
    if (body === undefined) throw changedText(`${label} or what follows it`);
    pieces.push({ text: body, trusted: false, message }, { text: after, trusted: true, message: undefined });
    written.add(index);
    position += body.length + after.length;
  }
  const missing = bodies.find(
    ({ text, required }, index) => required && !isBlank(text) && !written.has(index),
  );
  if (missing) throw leftOut(missing);
  if (pieces.map(({ text }) => text).join("") !== rendered) throw changedText("a text given to it");
  return pieces;
}

/** As it is, trimmed, or, in a tool definition, as JSON writes it. */
function formsOf(text: string, message: number | undefined): string[] {
  const forms = [text, text.trim(), text.trimEnd(), text.trimStart()];
  return message === undefined ? [...forms, JSON.stringify(text).slice(1, -1)] : forms;
}

function leftOut({ label, message }: Body): MulliganError {
  if (message !== undefined) return changedText(`${label}, which it leaves out`);
  return new MulliganError("tokenizer", `chat template: must write the tools, leaves out ${label}`, {
    hint: "this model's template has no place for tools; put them into the prompt",
  });
}

function changedText(what: string): MulliganError {
  return new MulliganError("tokenizer", `chat template: must not change text given to it, changes ${what}`, {
    hint: "tokens and text would no longer agree; write the text differently, or use a simpler chat_template.jinja",
  });
}
