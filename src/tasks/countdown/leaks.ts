/**
 * Does a reflection give the answer away? It does when one of its maximal arithmetic expressions is a complete solution
 * (method.md §8.7). Worked steps ("12+7=19, 19+3=22") are no single expression and do not count.
 */
import type { CountdownRow } from "./generate.ts";
import { plainMath, verifyEquation } from "./verify.ts";

/** Text beyond this is not searched: no reflection is that long. */
const MAX_LENGTH = 16_384;

/** A decimal, a whole number, an operator, brackets, or anything else but space; a line's end counts as else. */
const PIECE = /(\d+(?:\.\d+)+)|(\d+)|([+\-−*×/÷])|(\()|(\))|(\n|[^\d\s])/g;

interface Piece {
  kind: "number" | "operator" | "(" | ")";
  text: string;
}

/** Is there a complete solution among the expressions of the text? Never throws. */
export function leaksSolution(reflection: string, row: CountdownRow): boolean {
  const text = plainMath(reflection.slice(0, MAX_LENGTH));
  const expressions = new Set(runs(text).flatMap((run) => expressionsIn(run, row.nums)));
  return [...expressions].some((expression) => verifyEquation(expression, row).kind === "solved");
}

/** The stretches of a line that hold nothing but arithmetic; "=" ends one. */
function runs(text: string): Piece[][] {
  const found: Piece[][] = [[]];
  for (const [piece, decimal, number, operator, open, close, other] of text.matchAll(PIECE)) {
    if (decimal !== undefined || other !== undefined) found.push([]);
    else if (number !== undefined) found.at(-1)!.push({ kind: "number", text: piece });
    else if (operator !== undefined) found.at(-1)!.push({ kind: "operator", text: piece });
    else if (open !== undefined || close !== undefined)
      found.at(-1)!.push({ kind: open ? "(" : ")", text: piece });
  }
  return found;
}

/**
 * The candidates of one run: as many numbers in a row as the problem has, and the same ones, with each choice of
 * brackets around them (prose may have opened or closed some). Not those that an operator ties to a neighbour.
 */
function expressionsIn(run: readonly Piece[], nums: readonly number[]): string[] {
  const places = run.flatMap(({ kind }, at) => (kind === "number" ? [at] : []));
  const wanted = [...nums].sort((a, b) => a - b).join();
  const found: string[] = [];
  for (let i = 0; i + nums.length <= places.length; i++) {
    const window = places.slice(i, i + nums.length);
    const used = window.map((at) => Number(run[at]!.text)).sort((a, b) => a - b);
    if (used.join() !== wanted) continue;
    const first = window[0]!;
    const last = window.at(-1)!;
    for (let open = 0; open === 0 || (open <= nums.length && run[first - open]?.kind === "("); open++) {
      for (let close = 0; close === 0 || (close <= nums.length && run[last + close]?.kind === ")"); close++) {
        if (isTied(run, first - open, last + close)) continue;
        const pieces = run.slice(first - open, last + close + 1);
        if (pieces.length <= 8 * nums.length) found.push(pieces.map((piece) => piece.text).join(" "));
      }
    }
  }
  return found;
}

/** Does an operator join pieces [from, to] to an operand outside? A list's bullet "- 3+4" does not. */
function isTied(run: readonly Piece[], from: number, to: number): boolean {
  const isOperand = (piece: Piece | undefined) => piece !== undefined && piece.kind !== "operator";
  const before = run[from - 1]?.kind === "operator" && isOperand(run[from - 2]);
  const after = run[to + 1]?.kind === "operator" && isOperand(run[to + 2]);
  return before || after;
}
