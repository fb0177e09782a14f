/**
 * Verifies many answers at once. A verifier that fails makes a verdict "unscored" and the run goes on; one that fails
 * often is a bug of the task and stops it, before a run trains on what little is left.
 */
import { MulliganError } from "../core/errors.ts";
import type { Problem, Task, Verdict } from "../core/task.ts";
import { verifyAnswer } from "../verify/verdict.ts";

export interface Answer {
  problemId: string;
  text: string;
}

/** The rows of a task by problem id. */
export type Rows = ReadonlyMap<string, unknown>;

export const verifyTimeoutMs = 10_000;
const unscoredLimit = 0.2;
const fewestVerdicts = 20;

export function rowsOf(problems: readonly Problem[]): Rows {
  return new Map(problems.map(({ id, row }) => [id, row]));
}

/** The row of a problem. Throws `MulliganError("data")` when the failures and the task do not belong together. */
export function rowOf(rows: Rows, problemId: string): unknown {
  if (rows.has(problemId)) return rows.get(problemId);
  throw new MulliganError(
    "data",
    `failures: each must be of a problem of the task, got problem "${problemId}"`,
    {
      hint: "collect the failures again: they are of another task, other task options or other data",
    },
  );
}

/** One verdict per answer, in order. Throws `MulliganError("task")` when more than 20 % of at least 20 are unscored. */
export async function verifyAnswers(task: Task, answers: readonly Answer[], rows: Rows): Promise<Verdict[]> {
  const verdicts = await Promise.all(
    answers.map(({ problemId, text }) =>
      verifyAnswer(task, text, rowOf(rows, problemId), { timeoutMs: verifyTimeoutMs }),
    ),
  );
  stopWhenUnscored(task, answers, verdicts);
  return verdicts;
}

function stopWhenUnscored(task: Task, answers: readonly Answer[], verdicts: readonly Verdict[]): void {
  const unscored = verdicts.filter(({ kind }) => kind === "unscored").length;
  if (verdicts.length < fewestVerdicts || unscored <= unscoredLimit * verdicts.length) return;
  const index = verdicts.findIndex(({ kind }) => kind === "unscored");
  const first = verdicts[index]!;
  const cause = first.kind === "unscored" ? first.cause : "";
  throw new MulliganError(
    "task",
    `task "${task.name}": verify must score at least 80 % of the answers, left ${unscored} of ${verdicts.length} unscored; the first, of problem "${answers[index]!.problemId}": ${cause}`,
    { hint: "make verify return true or false for any text, well within its time limit" },
  );
}
