/**
 * Verifies many answers at once. A verifier that fails makes a verdict "unscored" and the run goes on; one that fails
 * often is a bug of the task and stops it, before a run trains on what little is left.
 */
import { MulliganError } from "../core/errors.ts";
import type { Problem, Task, Verdict } from "../core/task.ts";
import { verifyAnswer } from "../verify/verdict.ts";
import type { Decoding, Policy } from "./policy.ts";
import { type Spoken, speakInCalls, type Turn } from "./speak.ts";

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

export interface AnswerOptions {
  rows: Rows;
  part: "attempt" | "retry";
  decoding: Decoding;
  signal?: AbortSignal | undefined;
}

/** An utterance per turn and its verdict, in order. */
export interface Answers {
  spoken: Spoken[];
  verdicts: Verdict[];
}

/**
 * Samples an answer for each turn and verifies it, the answers of one engine call while the next is under way. Throws
 * what speak throws, and `MulliganError("task")` when more than 20 % of at least 20 are unscored.
 */
export async function speakAndVerify(
  policy: Policy,
  task: Task,
  turns: readonly Turn[],
  { rows, part, decoding, signal }: AnswerOptions,
): Promise<Answers> {
  const rowOfTurn = turns.map(({ problemId }) => rowOf(rows, problemId));
  const spoken: Spoken[] = [];
  const verifying: Promise<Verdict>[] = [];
  for await (const answers of speakInCalls(policy, turns, part, decoding, signal)) {
    for (const answer of answers) {
      const row = rowOfTurn[spoken.length];
      spoken.push(answer);
      verifying.push(verifyAnswer(task, answer.utterance.text, row, { timeoutMs: verifyTimeoutMs }));
    }
  }
  const verdicts = await Promise.all(verifying);
  stopWhenUnscored(task, turns, verdicts);
  return { spoken, verdicts };
}

function stopWhenUnscored(task: Task, turns: readonly Turn[], verdicts: readonly Verdict[]): void {
  const unscored = verdicts.filter(({ kind }) => kind === "unscored").length;
  if (verdicts.length < fewestVerdicts || unscored <= unscoredLimit * verdicts.length) return;
  const index = verdicts.findIndex(({ kind }) => kind === "unscored");
  const first = verdicts[index]!;
  const cause = first.kind === "unscored" ? first.cause : "";
  throw new MulliganError(
    "task",
    `task "${task.name}": verify must score at least 80 % of the answers, left ${unscored} of ${verdicts.length} unscored; the first, of problem "${turns[index]!.problemId}": ${cause}`,
    { hint: "make verify return true or false for any text, well within its time limit" },
  );
}
