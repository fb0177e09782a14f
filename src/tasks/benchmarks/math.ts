/** MATH (Hendrycks et al. 2021) and sets like it: competition problems with an answer in LaTeX. Retention for real models. */
import type { Task, Verdict } from "../../core/task.ts";
import { lastBoxed } from "../../verify/answer.ts";
import { normalizeMath, sameMathAnswer } from "../../verify/math/math-answer.ts";
import { type FileRow, RowError } from "../rows.ts";
import {
  BOXED,
  finalAnswer,
  NO_ANSWER,
  type QuestionOptions,
  questionTask,
  rowId,
  textOf,
  wrongAnswer,
} from "./question-task.ts";

export interface MathRow {
  id: string;
  problem: string;
  answer: string;
}

/** Rows `{problem, answer}`, or `{problem, solution}` with the answer in the solution's last \boxed{…}. */
export function math(options: QuestionOptions): Task<MathRow> {
  const prompt = ({ problem }: MathRow) => `${problem}\n\n${BOXED}`;
  return questionTask(
    { name: "math", rowFrom, prompt, gold: ({ answer }) => answer, verify: verifyMath },
    options,
  );
}

function rowFrom(columns: FileRow, index: number): MathRow {
  const problem = textOf(columns, columns.problem !== undefined ? "problem" : "question");
  const answer =
    columns.answer !== undefined ? textOf(columns, "answer") : lastBoxed(textOf(columns, "solution"));
  if (answer === undefined)
    throw new RowError("solution must hold its answer in \\boxed{}, or answer must be given");
  if (normalizeMath(answer) === "")
    throw new RowError(`answer must be more than units, got ${answer.slice(0, 80)}`);
  return { id: rowId(columns, index), problem, answer };
}

/** Solved by a final answer that is the same text once spacing, units and fractions are normalized, or the same number. */
export function verifyMath(text: string, { answer }: MathRow): Verdict {
  const given = finalAnswer(text);
  if (given === undefined) return NO_ANSWER;
  return sameMathAnswer(given, answer) ? { kind: "solved" } : wrongAnswer("wrong_value", given, answer);
}
