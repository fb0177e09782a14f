/** GSM8K (openai/grade-school-math): word problems whose answer is one number. Retention for real models. */
import type { FailedVerdict, Task, Verdict } from "../../core/task.ts";
import { readNumber } from "../../verify/math/math-answer.ts";
import { equals, formatRational, type Rational } from "../../verify/math/rational.ts";
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

export interface Gsm8kRow {
  id: string;
  question: string;
  /** The number after "####", as the file writes it: "2,125". */
  answer: string;
}

/** Rows `{question, answer}`, the answer ending in `#### number`. Throws `MulliganError("config")`. */
export function gsm8k(options: QuestionOptions): Task<Gsm8kRow> {
  const prompt = ({ question }: Gsm8kRow) => `${question}\n\n${BOXED}`;
  return questionTask(
    { name: "gsm8k", rowFrom, prompt, gold: ({ answer }) => answer, verify: verifyGsm8k },
    options,
  );
}

function rowFrom(columns: FileRow, index: number): Gsm8kRow {
  const solution = textOf(columns, "answer");
  const mark = solution.lastIndexOf("####");
  const answer = solution.slice(mark === -1 ? 0 : mark + "####".length).trim();
  if (readNumber(answer) === undefined) throw new RowError("answer must end in #### and a number");
  return { id: rowId(columns, index), question: textOf(columns, "question"), answer };
}

/**
 * Solved by a final answer that is one number of the same exact value: "$2,125.00" is 2125, "2125 dollars" is no number.
 * Leniently, the last number of the whole text is the answer. Never throws.
 */
export function verifyGsm8k(text: string, { answer }: Gsm8kRow): Verdict {
  const gold = readNumber(answer)!;
  const given = finalAnswer(text);
  const number = given === undefined ? undefined : readNumber(given);
  if (number && equals(number, gold)) return { kind: "solved" };
  return { ...faultOf(given, number, answer), solvedLeniently: lastNumberIs(text, gold) };
}

function faultOf(given: string | undefined, number: Rational | undefined, answer: string): FailedVerdict {
  if (given === undefined) return NO_ANSWER;
  if (number === undefined) return wrongAnswer("not_a_number", given, answer);
  return wrongAnswer("wrong_value", formatRational(number), answer);
}

function lastNumberIs(text: string, gold: Rational): boolean {
  const last = text.match(/-?\d[\d,]{0,99}(?:\.\d{1,99})?/g)?.at(-1);
  const number = last === undefined ? undefined : readNumber(last.replace(/,+$/, ""));
  return number !== undefined && equals(number, gold);
}
