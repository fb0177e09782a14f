/**
 * Tasks of questions with known answers, for real models: rows from the user's file or the hub, the answer asked for in \boxed{…}.
 * Measured before and after training, they show what it costs elsewhere.
 */
import { z } from "zod";
import { MulliganError } from "../../core/errors.ts";
import type { FailedVerdict, Task, Verdict } from "../../core/task.ts";
import { lastBoxed } from "../../verify/answer.ts";
import { defineTask } from "../define-task.ts";
import { parseOptions } from "../options.ts";
import { type FileRow, RowError, readRows } from "../rows.ts";
import { rowsFromSource, Source, splitsOf } from "../source.ts";

export const QuestionOptions = z.strictObject({ source: Source });
export type QuestionOptions = z.input<typeof QuestionOptions>;

/** The paper's words for its own mathematics task (method.md §2.2). */
export const BOXED = "Please reason step by step, and put your final answer within \\boxed{}.";

interface QuestionTask<Row> {
  name: string;
  /** The file's columns as a row. Throws `RowError`. */
  rowFrom(columns: FileRow, index: number): Row;
  prompt(row: Row): string;
  /** What stands in the box of a right answer. */
  gold(row: Row): string;
  verify(answer: string, row: Row): Verdict;
}

/** Throws `MulliganError("config")`; `problems()` throws `MulliganError("data")`, naming file and row. */
export function questionTask<Row extends { id: string }>(
  { name, rowFrom, prompt, gold, verify }: QuestionTask<Row>,
  options: QuestionOptions,
): Task<Row> {
  if (options?.source === undefined) {
    throw new MulliganError("config", `task ${name}: source: must name a file of rows, got nothing`, {
      hint: `--task-options '{"source": {"test": "data/${name}.jsonl"}}'; no data is shipped`,
    });
  }
  const { source } = parseOptions(name, QuestionOptions, options);
  const load = async (paths: readonly string[]) => {
    const rows: Row[] = [];
    for (const path of paths) {
      for (const [index, columns] of (await readRows(path)).entries()) {
        rows.push(checked(path, index, () => rowFrom(columns, rows.length)));
      }
    }
    return rows;
  };
  const task = defineTask<Row>({
    name,
    rows: rowsFromSource(name, source, load),
    prompt,
    verify,
    answer: (row) => `\\boxed{${gold(row)}}`,
  });
  return Object.assign(task, splitsOf(source));
}

function checked<Row>(path: string, index: number, read: () => Row): Row {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    throw new MulliganError("data", `${path}, row ${index + 1}: ${error.message}`);
  }
}

export function rowId({ id, unique_id }: FileRow, index: number): string {
  const given = id ?? unique_id;
  return typeof given === "string" || typeof given === "number" ? String(given) : `row-${index + 1}`;
}

export function textOf(columns: FileRow, column: string): string {
  const value = columns[column];
  if (typeof value === "string" && value.trim() !== "") return value;
  throw new RowError(
    `${column} must be text, got ${value === undefined ? "nothing" : JSON.stringify(value)}`,
  );
}

/** What stands in the last \boxed{…}; when there is none, after the last "####" (GSM8K's own form), on that line. */
export function finalAnswer(text: string): string | undefined {
  const boxed = lastBoxed(text);
  if (boxed !== undefined) return boxed.trim() === "" ? undefined : boxed;
  const mark = text.lastIndexOf("####");
  if (mark === -1) return undefined;
  const line = text
    .slice(mark + "####".length)
    .split("\n", 1)[0]!
    .trim();
  return line === "" ? undefined : line;
}

export const NO_ANSWER: FailedVerdict = {
  kind: "failed",
  errorClass: "no_answer",
  feedback: "no answer: nothing in \\boxed{}",
};

export function wrongAnswer(errorClass: string, given: string, gold: string): FailedVerdict {
  return { kind: "failed", errorClass, feedback: `wrong: ${given.slice(0, 80)}, not ${gold.slice(0, 80)}` };
}
