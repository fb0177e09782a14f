/** Multiple choice (MMLU, MMLU-Pro, ARC and sets like them): the answer is a letter. Retention for real models. */
import type { Task, Verdict } from "../../core/task.ts";
import { choiceFrom, letterOf } from "../../verify/choice-answer.ts";
import { type FileRow, RowError } from "../rows.ts";
import {
  finalAnswer,
  NO_ANSWER,
  type QuestionOptions,
  questionTask,
  rowId,
  textOf,
  wrongAnswer,
} from "./question-task.ts";

export interface MultipleChoiceRow {
  id: string;
  question: string;
  choices: readonly string[];
  /** Index of the right choice. */
  answer: number;
}

const ASK = "Please reason step by step, and put the letter of your final answer within \\boxed{}.";
const MAX_CHOICES = 26;

/**
 * Rows `{question, choices, answer}`: choices (or options) as a list, or ARC's `{text, label}`; the answer (or answerKey,
 * answer_index) as a letter, a label, an index from 0, or the choice's own words. Throws `MulliganError("config")`.
 */
export function multipleChoice(options: QuestionOptions): Task<MultipleChoiceRow> {
  const prompt = ({ question, choices }: MultipleChoiceRow) =>
    `${question}\n\n${choices.map((choice, i) => `${letterOf(i)}. ${choice}`).join("\n")}\n\n${ASK}`;
  return questionTask(
    {
      name: "multiple-choice",
      rowFrom,
      prompt,
      gold: ({ answer }) => letterOf(answer),
      verify: verifyChoice,
    },
    options,
  );
}

function rowFrom(columns: FileRow, index: number): MultipleChoiceRow {
  const given = columns.choices ?? columns.options;
  const labelled = isObject(given) ? given : undefined;
  const choices = textsFrom(labelled ? labelled.text : given);
  if (choices === undefined || choices.length < 2 || choices.length > MAX_CHOICES) {
    throw new RowError(`choices must be a list of 2 to ${MAX_CHOICES} texts`);
  }
  const key = columns.answer_index ?? columns.answerKey ?? columns.answer;
  const answer = indexFrom(key, choices, textsFrom(labelled?.label));
  if (answer === undefined)
    throw new RowError("answer must be a letter, an index from 0, or one of the choices");
  return { id: rowId(columns, index), question: textOf(columns, "question"), choices, answer };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textsFrom(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}

/** Labels first, as ARC's may be digits; then a place, the words, a letter. */
function indexFrom(key: unknown, choices: readonly string[], labels?: readonly string[]): number | undefined {
  if (typeof key === "number")
    return Number.isInteger(key) && key >= 0 && key < choices.length ? key : undefined;
  if (typeof key !== "string") return undefined;
  for (const place of [labels?.indexOf(key) ?? -1, choices.indexOf(key)]) if (place !== -1) return place;
  return labels === undefined ? choiceFrom(key, choices) : undefined;
}

/** Solved by the right letter as the final answer, alone or with its choice's own words. Never throws. */
export function verifyChoice(text: string, { choices, answer }: MultipleChoiceRow): Verdict {
  const bare = text.trim();
  const given = finalAnswer(text) ?? (choiceFrom(bare, choices) === undefined ? undefined : bare);
  if (given === undefined) return NO_ANSWER;
  const choice = choiceFrom(given, choices);
  if (choice === answer) return { kind: "solved" };
  return wrongAnswer(choice === undefined ? "not_a_choice" : "wrong_choice", given, letterOf(answer));
}
