/** Three episodes that a person can read, picked by rule and not by taste. */

import type { Utterance } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import type { Problem, Task, Verdict } from "../core/task.ts";
import { type Rows, rowOf, rowsOf } from "../loop/verdicts.ts";
import { requireSameItems } from "./comparison.ts";
import type { Evaluation, FailureOutcome } from "./evaluation.ts";

/** What the starting and the trained model made of the same failure. */
export interface Example {
  title: string;
  start: FailureOutcome;
  trained: FailureOutcome;
}

/**
 * The first failure that only training rescues (without a leaked solution if there is one), the first that neither
 * rescues, and the first of all the others. Fewer where there are none. Throws `MulliganError("data")`.
 */
export function pickExamples(start: Evaluation, trained: Evaluation): Example[] {
  requireSameItems(start, trained);
  const pairs = start.failures.map((outcome, i) => ({ start: outcome, trained: trained.failures[i]! }));
  type Pair = (typeof pairs)[number];
  const isWon = (pair: Pair) =>
    pair.start.verdict.kind === "failed" && pair.trained.verdict.kind === "solved";
  const isLost = (pair: Pair) =>
    pair.start.verdict.kind === "failed" && pair.trained.verdict.kind === "failed";
  const won = pairs.find((pair) => isWon(pair) && !pair.trained.leaks) ?? pairs.find(isWon);
  const lost = pairs.find(isLost);
  const other = pairs.find((pair) => pair !== won && pair !== lost);
  const titled: [string, Pair | undefined][] = [
    ["Rescued after training, not before", won],
    ["Not rescued, before or after training", lost],
    ["The next failure in the list, whatever came of it", other],
  ];
  return titled.flatMap(([title, pair]) => (pair ? [{ title, ...pair }] : []));
}

/** Episodes of one model, as plain text. */
export function renderEpisodes(
  outcomes: readonly FailureOutcome[],
  task: Task,
  problems: readonly Problem[],
): string {
  const rows = rowsOf(problems);
  return outcomes
    .map((outcome, i) => [`${i + 1}.`, ...openingLines(outcome, task, rows), ...linesOf(outcome)].join("\n"))
    .join("\n\n");
}

/** Plain text; the task's own prompt is the last message that opens an attempt. */
export function renderExamples(
  examples: readonly Example[],
  task: Task,
  problems: readonly Problem[],
): string {
  const rows = rowsOf(problems);
  const blocks = examples.map(({ title, start, trained }, i) => {
    return [
      `${i + 1}. ${title}`,
      ...openingLines(trained, task, rows),
      "   before training",
      ...linesOf(start),
      "   after training",
      ...linesOf(trained),
    ].join("\n");
  });
  return blocks.join("\n\n");
}

function openingLines({ failure }: FailureOutcome, task: Task, rows: Rows): string[] {
  const { problemId, attempt, verdict } = failure;
  const question = task.prompt(rowOf(rows, problemId)).at(-1);
  if (!question) {
    throw new MulliganError(
      "task",
      `task "${task.name}": prompt must give messages, gave none on problem "${problemId}"`,
    );
  }
  return [
    episodeLine("task", question.content),
    episodeLine("attempt", attempt.text),
    episodeLine("verdict", describeVerdict(verdict)),
  ];
}

function linesOf({ reflection, retry, verdict, leaks }: FailureOutcome): string[] {
  return [
    episodeLine("reflection", withNotes(reflection, leaks)),
    episodeLine("retry", retry.text),
    episodeLine("verdict", describeVerdict(verdict)),
  ];
}

/** What was written, and what is odd about it. */
export function withNotes({ text, truncated }: Utterance, leaks = false): string {
  const notes = [leaks && "holds a solution", truncated && "cut at its limit"].filter(Boolean);
  return notes.length > 0 ? `${text} (${notes.join(", ")})` : text;
}

export function describeVerdict(verdict: Verdict): string {
  if (verdict.kind === "solved") return "solved";
  if (verdict.kind === "unscored") return `unscored: ${verdict.cause}`;
  return verdict.feedback === "" ? "failed" : `failed: ${verdict.feedback}`;
}

/** Further lines of a text stand below its first. What a model writes must not steer the terminal that shows it. */
export function episodeLine(label: string, text: string): string {
  const indent = " ".repeat(16);
  const shown = printable(text.trim().replaceAll(/\r\n/g, "\n"));
  const body = shown === "" ? "(nothing)" : shown.replaceAll("\n", `\n${indent}`);
  return `   ${label.padEnd(13)}${body}`;
}
