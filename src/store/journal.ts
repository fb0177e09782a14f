/**
 * Stage 1 while it is under way: a header and one line per engine call, only ever appended to. A process that is killed
 * leaves whole lines and at most a torn last one, which opening removes: every line that is there counts once.
 */
import { existsSync } from "node:fs";
import type { Outcome } from "../core/episode.ts";
import { appendJsonl, cutTornLine, readJsonl, writeJsonl } from "../core/jsonl.ts";
import { parseLine } from "./failures.ts";
import { FailuresHeader, OutcomesLine } from "./wire.ts";

export interface Journal {
  header: FailuresHeader;
  /** Of every whole line. */
  outcomes: Outcome[];
}

/** Begins a journal. Throws `MulliganError("io")`. */
export async function startJournal(path: string, header: FailuresHeader): Promise<void> {
  await writeJsonl(path, [header]);
}

/** Adds the outcomes of one engine call: seconds of sampling, so they are worth a sync. Throws `MulliganError("io")`. */
export async function appendOutcomes(path: string, outcomes: readonly Outcome[]): Promise<void> {
  await appendJsonl(path, outcomes, { sync: true });
}

/**
 * Reads a journal and cuts off what was written of a line when the process was killed; undefined when there is none.
 * Throws `MulliganError("data")` when a whole line is damaged, `MulliganError("io")` when the torn one cannot be removed.
 */
export async function openJournal(path: string): Promise<Journal | undefined> {
  if (!existsSync(path)) return undefined;
  await cutTornLine(path);
  const [first, ...rest] = await readJsonl(path);
  if (first === undefined) return undefined;
  const parse = <T>(schema: Parameters<typeof parseLine<T>>[0], line: typeof first) =>
    parseLine(schema, line, `${path}, line ${line.line}`, "collect from the start, with --clean");
  return {
    header: parse(FailuresHeader, first),
    outcomes: rest.flatMap((line) => parse(OutcomesLine, line)),
  };
}
