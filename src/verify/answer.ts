/**
 * Finds the final answer in what a model wrote. Linear in the length of the text, whatever it holds, and silent about
 * whether the answer is right.
 */

const OPEN = "<answer>";
const CLOSE = "</answer>";
const BOXED = "\\boxed";

/** What stands in the last complete `<answer>…</answer>`, or undefined when there is none. */
export function lastAnswerTag(text: string): string | undefined {
  const lastClose = text.lastIndexOf(CLOSE);
  if (lastClose === -1) return undefined;
  const open = text.lastIndexOf(OPEN, lastClose);
  if (open === -1) return undefined;
  const start = open + OPEN.length;
  // a second </answer> closes nothing: the content ends at the first one
  return text.slice(start, text.indexOf(CLOSE, start));
}

/** What stands in the last `\boxed{…}` whose braces balance, or undefined when there is none. */
export function lastBoxed(text: string): string | undefined {
  const openBraces: number[] = [];
  let bestStart = -1;
  let bestEnd = -1;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") {
      if (text[i + 1] === "{" || text[i + 1] === "}") i++; // an escaped brace is text
    } else if (text[i] === "{") {
      openBraces.push(i);
    } else if (text[i] === "}") {
      const open = openBraces.pop();
      if (open !== undefined && open > bestStart && text.endsWith(BOXED, open)) {
        bestStart = open + 1;
        bestEnd = i;
      }
    }
  }
  return bestStart === -1 ? undefined : text.slice(bestStart, bestEnd);
}

/** The last fenced code block of a text, without its fences; the whole text when it has none. */
export function lastCodeBlock(text: string): string {
  const close = text.lastIndexOf("```");
  const open = close <= 0 ? -1 : text.lastIndexOf("```", close - 1);
  if (open === -1) return text;
  return text.slice(open + 3, close).replace(/^[ \t]*\w*[ \t]*\r?\n/, "");
}
