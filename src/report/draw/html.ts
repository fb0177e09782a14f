/**
 * Pieces of a page. Text is escaped by being a string, and what would steer a reader's screen is replaced; only what a
 * template here made is markup.
 */
import { printable } from "../../core/printable.ts";

/** Markup that is safe to stand in a page. */
export interface Html {
  readonly markup: string;
}

/** What a template takes: nothing is shown of undefined and false. */
export type Part = Html | string | number | undefined | false | readonly Part[];

/** A template whose strings are markup and whose values are escaped, in text and in quoted attributes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const markup = strings.map((text, i) => text + markupOf(parts[i])).join("");
  return { markup };
}

function markupOf(part: Part): string {
  if (part === undefined || part === false) return "";
  if (typeof part === "string") return escapeText(part);
  if (typeof part === "number") return String(part);
  return "markup" in part ? part.markup : part.map(markupOf).join("");
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeText(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A value as JSON that can stand in a script element: no text in it ends the element or begins a comment. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
