/** What the model wrote as the page shows it: nothing that steers a reader's screen, and no text without end. */
import type { Utterance } from "../../core/episode.ts";
import { printable } from "../../core/printable.ts";
import type { Verdict } from "../../core/task.ts";
import type { PageText } from "./page-data.ts";
import { type Decode, type Piece, piecesOf } from "./pieces.ts";

/** Characters of one text; enough for a long chain of thought, few enough for a browser. */
const MOST_CHARACTERS = 20_000;
/** A verifier's feedback and a task are shorter. */
const MOST_FEEDBACK = 2_000;

/** `decode`: show token by token. */
export function pageText({ tokens, logprobs, text, truncated }: Utterance, decode?: Decode): PageText {
  const shared = { tokens: tokens.length, ...(truncated && { truncated: true as const }) };
  if (!decode) {
    const shown = shorten(text, MOST_CHARACTERS);
    const omitted = text.length - shown.length;
    return { text: printable(shown), ...shared, ...(omitted > 0 && { omitted }) };
  }
  const pieces = piecesOf({ tokens, logprobs }, decode);
  let length = 0;
  const end = pieces.findIndex((piece) => {
    length += piece.text.length;
    return length > MOST_CHARACTERS;
  });
  const shown = end === -1 ? pieces : pieces.slice(0, end);
  const omitted = lengthOf(pieces) - lengthOf(shown);
  return {
    pieces: shown.map((piece) => printable(piece.text)),
    logprobs: shown.map(({ logprob }) => Math.round(logprob * 1000) / 1000),
    ...shared,
    ...(omitted > 0 && { omitted }),
  };
}

const lengthOf = (pieces: readonly Piece[]) => pieces.reduce((sum, { text }) => sum + text.length, 0);

/** A text that the model did not write: a question, a setting, a warning. Default: as long as the model's. */
export function pagePlain(text: string, most = MOST_CHARACTERS): string {
  const shown = shorten(text, most);
  const omitted = text.length - shown.length;
  return printable(shown) + (omitted > 0 ? ` … (${omitted} more characters)` : "");
}

export function pageVerdict(verdict: Verdict): Verdict {
  const short = (text: string) => pagePlain(text, MOST_FEEDBACK);
  if (verdict.kind === "failed") return { kind: "failed", feedback: short(verdict.feedback) };
  return verdict.kind === "unscored" ? { kind: "unscored", cause: short(verdict.cause) } : verdict;
}

/** The beginning, never half of a surrogate pair. */
function shorten(text: string, most: number): string {
  return text.length <= most ? text : text.slice(0, most).replace(/[\uD800-\uDBFF]$/, "");
}
