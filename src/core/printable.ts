/** Text that a model, a data file or a user's code wrote, for a terminal: nothing in it steers the cursor or the colours. */

/** Line breaks and tabs stay; any other control character becomes U+FFFD. */
export function printable(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}/gu, "\uFFFD");
}

/** A value as JSON that is the same to a program, with control characters escaped. */
export function printableJson(value: unknown, indent?: number): string {
  const escaped = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, indent).replaceAll(/(?!\n)\p{Cc}/gu, escaped);
}

/** The beginning of a text, quoted, for a message of one line. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
