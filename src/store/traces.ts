/**
 * `traces.jsonl`: a header, then a line for each group of each step, only ever appended to. Reading streams: a run's traces may
 * be many gigabytes.
 */
import { existsSync, statSync } from "node:fs";
import { appendJsonl } from "../core/jsonl.ts";
import { jsonOf, streamLines } from "../core/line-stream.ts";
import type { Trace } from "../core/trace.ts";
import { parseLine } from "./failures.ts";
import { headOf } from "./line-heads.ts";
import { TraceLine, TracesHeader } from "./wire.ts";

/** Adds the groups of a step, and the header before the first. Throws `MulliganError("io")`. */
export async function appendTraces(path: string, traces: readonly Trace[]): Promise<void> {
  const isEmpty = !existsSync(path) || statSync(path).size === 0;
  if (isEmpty) await appendJsonl(path, { kind: "traces", version: 1 } satisfies TracesHeader);
  for (const trace of traces) await appendJsonl(path, trace);
}

/** A group's line, parsed when it is asked for: who looks for a few steps of a long run skips the others. */
export interface TraceRecord {
  step: number;
  /** Throws `MulliganError("data")` that names file and line. */
  parse(): Trace;
}

/** Every group in order. Throws `MulliganError("data")` that names file and line. */
export async function* readTraces(path: string): AsyncGenerator<Trace> {
  for await (const { parse } of scanTraces(path)) yield parse();
}

/** Relies on the writer: `step` is a line's first field. Throws `MulliganError("data")` where a line has none. */
export async function* scanTraces(path: string): AsyncGenerator<TraceRecord> {
  const hint =
    "the file is damaged or another version's; --resume --from a checkpoint before that line's step writes it anew";
  for await (const text of streamLines(path)) {
    const where = `${path}, line ${text.line}`;
    const value = () => ({ line: text.line, value: jsonOf(text, path, hint) });
    if (text.line === 1) {
      parseLine(TracesHeader, value(), `${where} (header)`, hint);
      continue;
    }
    const parse = () => parseLine(TraceLine, value(), where, hint);
    yield { step: headOf(text.text).step ?? parse().step, parse };
  }
}
