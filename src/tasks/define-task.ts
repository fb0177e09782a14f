/**
 * A task from three things: rows, a prompt for each, and a check. What is left out takes the paper's wording
 * (arXiv 2505.24726, method.md §2.1). Mistakes in a definition are named where they are made, not deep in a run.
 */
import type { Task } from "../core/task.ts";
import { DEFAULT_LIMITS } from "../verify/apart/limits.ts";
import { type ExternalVerifier, openVerifier } from "../verify/apart/verifier.ts";
import { requireDefinition, type TaskDefinition } from "./definition/definition.ts";
import { problemsFrom } from "./definition/problems.ts";
import { answerFrom, messagesFrom, textFrom, toolsFrom } from "./definition/returned.ts";
import { type RowFiles, rowFilesIn } from "./row-files.ts";

export interface DefinedTask<Row = unknown> extends Task<Row> {
  /** Set when `verify` is not a function: which command or endpoint it calls. */
  external?: ExternalVerifier;
  /** Where relative paths start: the task's own folder once it is loaded from a file, until then the current one. */
  folder: string;
  /** Where paths and data sets of the hub are found. */
  rowFiles: RowFiles;
}

export const PAPER_REFLECTION =
  "You tried solving the problem and got the wrong answer. Reflect on what went wrong and write a short explanation " +
  "that will help you do better next time.";

/** Our control in the paper's style: the same news, no reflection asked for. */
export function paperRetry(question: string): string {
  return `You tried solving the problem and got the wrong answer. Try again.\n\n${question}`;
}

/**
 * Makes a task. A row's id is its `id` field when that is text or a number, else its place in the list. Throws
 * `MulliganError("task")` for a definition that breaks its contract; `problems()` throws `MulliganError("data")` for rows.
 */
export function defineTask<Row>(definition: TaskDefinition<Row>): DefinedTask<Row> {
  requireDefinition(definition);
  const { name = "task", verify, tools, leaks, answer = answerColumn } = definition;
  const prompt = (row: Row) => messagesFrom(name, definition.prompt(row));
  const turn = (
    key: "reflectionPrompt" | "retryPrompt" | "plainRetryPrompt",
    otherwise: (row: Row) => string,
  ) => {
    const given = definition[key];
    if (given === undefined) return otherwise;
    if (typeof given === "string") return () => given;
    return (row: Row) => textFrom(name, key, given(row));
  };
  const question = (row: Row) => prompt(row).at(-1)!.content;
  const task: DefinedTask<Row> = {
    name,
    folder: ".",
    rowFiles: rowFilesIn("."),
    datasets: () => task.rowFiles.found,
    problems: problemsFrom(name, definition.rows, (source) => task.rowFiles.find(source)),
    prompt,
    reflectionPrompt: turn("reflectionPrompt", () => PAPER_REFLECTION),
    retryPrompt: turn("retryPrompt", question),
    plainRetryPrompt: turn("plainRetryPrompt", (row) => paperRetry(question(row))),
    verify:
      typeof verify === "function"
        ? (answer, row) => verify.call(definition, answer, row)
        : (answer, row) => verifyOnce(verify, answer, row, task.folder),
    answer: (row) => answerFrom(name, answer.call(definition, row)),
  };
  if (tools) task.tools = (row) => toolsFrom(name, tools.call(definition, row));
  if (typeof verify !== "function") task.external = verify;
  if (leaks) task.leaks = (reflection, row) => leaks.call(definition, reflection, row);
  return task;
}

/** Outside a run: a verifier for this answer alone, within the default limits. */
async function verifyOnce(source: ExternalVerifier, answer: string, row: unknown, folder: string) {
  const verifier = await openVerifier(source, DEFAULT_LIMITS, folder);
  try {
    return await verifier.verify(answer, row);
  } finally {
    await verifier.close();
  }
}

/** The name that TRL's and other data sets give the column. */
function answerColumn(row: unknown): string | undefined {
  if (typeof row !== "object" || row === null || !("answer" in row)) return undefined;
  return typeof row.answer === "string" || typeof row.answer === "number" ? String(row.answer) : undefined;
}
