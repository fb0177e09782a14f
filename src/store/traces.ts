/**
 * `traces.jsonl`: a header, then a line for each group of each step, only ever appended to. Reading streams, since a run's
 * traces may be many gigabytes; a last line without its end is of a process that was killed, or is still writing.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { MulliganError } from "../core/errors.ts";
import { appendJsonl } from "../core/jsonl.ts";
import type { Trace } from "../core/trace.ts";
import { parseLine } from "./failures.ts";
import { TraceLine, TracesHeader } from "./wire.ts";

/** A group with its longest completions is far shorter; what is longer is no line of ours, and is not kept in memory. */
const MOST_LINE_BYTES = 256 * 2 ** 20;
const NEWLINE = 0x0a;

/** Adds the groups of a step, and the header before the first. Throws `MulliganError("io")`. */
export async function appendTraces(path: string, traces: readonly Trace[]): Promise<void> {
  const isEmpty = !existsSync(path) || statSync(path).size === 0;
  if (isEmpty) await appendJsonl(path, { kind: "traces", version: 1 } satisfies TracesHeader);
  for (const trace of traces) await appendJsonl(path, trace);
}

/** Every group in order. Throws `MulliganError("data")` that names file and line. */
export async function* readTraces(path: string): AsyncGenerator<TraceLine> {
  const hint =
    "the file is damaged or another version's: resume the run from a checkpoint before that line's step";
  for await (const { line, text } of linesOf(path)) {
    const where = `${path}, line ${line}`;
    const parsed = { line, value: parseJson(text, where, hint) };
    if (line === 1) parseLine(TracesHeader, parsed, `${where} (header)`, hint);
    else yield parseLine(TraceLine, parsed, where, hint);
  }
}

async function* linesOf(path: string): AsyncGenerator<{ line: number; text: string }> {
  const decoder = new TextDecoder("utf-8");
  let pieces: Buffer[] = [];
  let length = 0;
  let line = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        pieces.push(chunk.subarray(start, end));
        yield { line: ++line, text: decoder.decode(Buffer.concat(pieces)) };
        pieces = [];
        length = 0;
        start = end + 1;
      }
      pieces.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > MOST_LINE_BYTES) {
        throw new MulliganError(
          "data",
          `${path}, line ${line + 1}: must be at most ${MOST_LINE_BYTES} bytes long`,
        );
      }
    }
  } catch (cause) {
    if (cause instanceof MulliganError) throw cause;
    throw new MulliganError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "name the folder of a run that has trained for a step",
      cause,
    });
  }
}

function parseJson(text: string, where: string, hint: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MulliganError("data", `${where}: not JSON: ${(cause as Error).message}`, { hint, cause });
  }
}
