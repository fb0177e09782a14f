/**
 * The text of each token, so that a page can mark tokens inside the text. Several tokens may write one character: they
 * are one piece then. Joined, the pieces are the decoded text.
 */

import type { TextTokenizer } from "../../text/tokenizer.ts";

/** What a report asks of a model's tokenizer. */
export type ReportTokenizer = Pick<TextTokenizer, "decode" | "decodeWithSpecials">;

/** Tokens to text, control tokens included. */
export type Decode = ReportTokenizer["decodeWithSpecials"];

export interface Piece {
  text: string;
  /** ln p of the tokens of the piece together. */
  logprob: number;
}

const UNFINISHED = "\uFFFD";

/**
 * Each piece is what a token adds to the text of the tokens of the piece before it, since decoders strip or add spaces at
 * a beginning and bytes of one character may lie in several tokens.
 */
export function piecesOf(
  { tokens, logprobs }: { tokens: readonly number[]; logprobs: readonly number[] },
  decode: Decode,
): Piece[] {
  const pieces: Piece[] = [];
  // the last finished piece is tokens [from, start), and what is read now begins at start
  let [from, start] = [0, 0];
  let before = "";
  for (let end = 1; end <= tokens.length; end++) {
    const text = decode(tokens.slice(from, end));
    if (text.endsWith(UNFINISHED) && end < tokens.length) continue;
    const logprob = logprobs.slice(start, end).reduce((sum, value) => sum + value, 0);
    pieces.push({ text: text.slice(before.length), logprob });
    [from, start] = [start, end];
    before = decode(tokens.slice(from, end));
  }
  return pieces;
}
