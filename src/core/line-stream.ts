/**
 * The lines of a text file one after another, for files that may be many gigabytes. A last line without its newline is left
 * out unless it is asked for.
 */
import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { MulliganError } from "./errors.ts";
import { parseJson } from "./json-file.ts";

/** Nothing that is written here has lines nearly as long; a longer one is not kept in memory. Arbitrary. */
const MOST_LINE_BYTES = 256 * 2 ** 20;
const NEWLINE = 0x0a;

export interface TextLine {
  /** Counted from 1. */
  line: number;
  /** Where its bytes are not UTF-8 it has U+FFFD in their place: enough to tell which line it is, and jsonOf refuses it. */
  text: string;
  isUtf8: boolean;
  /** It has no newline: a process is writing it just now, or was killed then. */
  isTorn?: boolean;
}

/** Throws `MulliganError("data")` when the file cannot be read or a line is too long. */
export async function* streamLines(
  path: string,
  { tornLine = false }: { tornLine?: boolean } = {},
): AsyncGenerator<TextLine> {
  let pieces: Buffer[] = [];
  let length = 0;
  let line = 0;
  for await (const chunk of chunksOf(path)) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      pieces.push(chunk.subarray(start, end));
      yield { line: ++line, ...decoded(pieces) };
      pieces = [];
      length = 0;
      start = end + 1;
    }
    pieces.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length <= MOST_LINE_BYTES) continue;
    throw new MulliganError(
      "data",
      `${path}, line ${line + 1}: must be at most ${MOST_LINE_BYTES} bytes long`,
    );
  }
  if (tornLine && length > 0) {
    yield { line: line + 1, ...decoded(pieces), isTorn: true };
  }
}

function decoded(pieces: readonly Buffer[]): Pick<TextLine, "text" | "isUtf8"> {
  const bytes = Buffer.concat(pieces);
  return { text: new TextDecoder("utf-8").decode(bytes), isUtf8: isUtf8(bytes) };
}

/** The line's value. Throws `MulliganError("data")` that names the place. */
export function jsonOf({ line, text, isUtf8 }: TextLine, path: string, hint: string): unknown {
  try {
    if (!isUtf8) throw new SyntaxError("not UTF-8");
    return parseJson(text);
  } catch (cause) {
    const rule = `${path}, line ${line}: must be one complete JSON value`;
    throw new MulliganError("data", `${rule}: ${(cause as Error).message}`, { hint, cause });
  }
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new MulliganError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "name the folder of a run that has trained for a step",
      cause,
    });
  }
}
