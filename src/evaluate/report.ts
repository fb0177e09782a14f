/** A comparison as two small tables with a line on how to read each, for terminals and for the README. */
import { count } from "../core/count.ts";
import { printable } from "../core/printable.ts";
import type { Decoding } from "../loop/policy.ts";
import type { Comparison } from "./comparison.ts";
import type { Evaluation } from "./evaluation.ts";
import { errorClasses, errorShare, MEASURES, type Measure } from "./measures.ts";
import { bootstrapRatio, type Interval, type Ratio } from "./statistics.ts";
import { formatLevel, formatPercent, renderMarkdown, renderText, type TableRow } from "./table.ts";

const PROBLEM_ROWS = [
  ["first_try", "first try"],
  ["first_try_lenient", "first try, read leniently"],
  ["second_try", "second try, after reflecting"],
  ["pass_at_2", "two independent tries"],
] as const satisfies [Measure, string][];

const FAILURE_ROWS = [
  ["rescue", "own reflection (rescue)"],
  ["rescue_no_leak", "… without a solution in it"],
  ["rescue_leak", "… with a solution in it"],
  ["shuffled", "another problem's reflection"],
  ["filler", "filler of equal length"],
  ["plain_retry", "retry without reflection"],
  ["second_draw", "fresh attempt"],
  ["leak_rate", "reflections with a solution"],
  ["truncated_rate", "reflections cut at the limit"],
  ["reflection_length", "tokens in a reflection"],
] as const satisfies [Measure, string][];

/** Rows that belong together, with a line on how to read them. */
export interface ReportTable {
  title: string;
  rows: TableRow[];
  /** Empty where there is nothing to say. */
  note: string;
}

/** The four columns, rescue with its controls and, where the task names them, sorts of mistake. */
export function reportTables(comparison: Comparison): ReportTable[] {
  const { problems, failures } = comparison.counts;
  const tables = [
    {
      title: `The paper's four columns: ${count(problems, "problem")}`,
      rows: rowsFrom(comparison, PROBLEM_ROWS),
      note: joined([
        "The second try counts a problem solved at first, or by one retry after the model reflected on its own failure.",
        comparison.measures.pass_at_2 && "Two independent tries cost as many answers and no reflection.",
        flips(comparison),
      ]),
    },
    {
      title: `Rescue on the ${count(failures, "failure")} of the starting model, and controls`,
      rows: rowsFrom(comparison, FAILURE_ROWS),
      note: joined([
        "Both models retry the same failed attempts; where what a reflection says matters, the first row gains more than the controls below it.",
        shuffled(comparison),
      ]),
    },
    { title: "First tries by what was wrong", rows: errorRows(comparison), note: "" },
  ];
  return tables.filter(({ rows }, i) => rows.length > 0 || i < 2);
}

/** Plain text, or Markdown with the same words. */
export function renderReport(comparison: Comparison, format: "text" | "markdown" = "text"): string {
  const isText = format === "text";
  const render = isText ? renderText : renderMarkdown;
  const sentences = (text: string) => (isText ? wrap(text) : text);
  const blocks = reportTables(comparison).flatMap(({ title, rows, note }) => [
    isText ? title : `**${title}**`,
    render(rows),
    ...(note === "" ? [] : [sentences(note)]),
  ]);
  return [...blocks, sentences(reportCaption(comparison))].join("\n\n");
}

/** A rate of one model with its 95 % interval. */
export interface EvaluationRow {
  name: string;
  interval: Interval;
  unit: "percent" | "number";
}

/** One model alone: every rate that was measured. */
export function evaluationRows(
  evaluation: Evaluation,
  { seed, bootstrap }: { seed: number; bootstrap: number },
): EvaluationRow[] {
  const row = (name: string, ratio: Ratio, unit: EvaluationRow["unit"] = "percent") => {
    const interval = bootstrapRatio(ratio, { seed, resamples: bootstrap });
    return Number.isNaN(interval.estimate) ? [] : [{ name, interval, unit }];
  };
  return [
    ...[...PROBLEM_ROWS, ...FAILURE_ROWS].flatMap(([measure, name]) =>
      row(name, MEASURES[measure](evaluation), unitOf(measure)),
    ),
    ...errorClasses(evaluation).flatMap((errorClass) =>
      row(`first try: ${nameOf(errorClass)}`, errorShare(evaluation, errorClass)),
    ),
  ];
}

/** The same as plain text. */
export function renderEvaluation(
  evaluation: Evaluation,
  options: { seed: number; bootstrap: number },
): string {
  const { problems, failures } = evaluation.counts;
  const lines = evaluationRows(evaluation, options).map(({ name, interval, unit }) => {
    const [estimate, low, high] = [interval.estimate, interval.low, interval.high].map((value) =>
      formatLevel(value, unit),
    );
    return `${name.padEnd(30)}${estimate!.padStart(8)}  [${low}, ${high}]`;
  });
  return [`${count(problems, "problem")}, ${count(failures, "failure")}`, ...lines].join("\n");
}

/** Nothing where the task names no sorts of mistake. */
function errorRows({ errors }: Comparison): TableRow[] {
  return errors.map(({ errorClass, contrast: { start, trained, gain } }) => {
    return { name: nameOf(errorClass), start: start.estimate, trained: trained.estimate, gain };
  });
}

/** "wrong value" for wrong_value, on one line. */
function nameOf(errorClass: string): string {
  return printable(errorClass.replaceAll(/[_\s]/g, " "));
}

function rowsFrom({ measures }: Comparison, rows: readonly (readonly [Measure, string])[]): TableRow[] {
  return rows.flatMap(([measure, name]) => {
    const contrast = measures[measure];
    if (!contrast) return [];
    const { start, trained, gain } = contrast;
    return [{ name, start: start.estimate, trained: trained.estimate, gain, unit: unitOf(measure) }];
  });
}

function unitOf(measure: Measure): "percent" | "number" {
  return measure === "reflection_length" ? "number" : "percent";
}

function flips({ firstTryFlips: { won, lost, p } }: Comparison): string {
  const chance = p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
  return `At the first try training won ${count(won, "problem")} and lost ${lost} (McNemar ${chance}).`;
}

/** Of a gain that may be none, a share says nothing. */
function shuffled({ shuffledShare: share, measures }: Comparison): string | undefined {
  const isGain = (measures.rescue?.gain.low ?? 0) > 0;
  if (!share || !isGain || !Number.isFinite(share.estimate)) return undefined;
  const bounds = [share.low, share.high].map((bound) => formatPercent(bound).replace(" %", ""));
  return `Another problem's reflections keep ${formatPercent(share.estimate)} of the rescue gain [${bounds.join(", ")}].`;
}

/** What a reader needs to remake the numbers. */
export function reportCaption({ task, decoding, seed, bootstrap, counts }: Comparison): string {
  const { attempt, reflection, retry } = decoding;
  const limits = `at most ${attempt.maxTokens} / ${reflection.maxTokens} / ${retry.maxTokens} tokens`;
  const manners = [attempt, reflection, retry].map(describeDecoding);
  const manner = new Set(manners).size === 1 ? manners[0]! : manners.join(" / ");
  const { start, trained } = counts.unscored;
  return joined([
    `Task ${task}; attempt / reflection / retry ${manner}, ${limits}.`,
    `Evaluation seed ${seed}; paired bootstrap, ${bootstrap.resamples} resamples, seed ${bootstrap.seed}.`,
    start + trained > 0 &&
      `Left out as unscored: ${start} answers of the start, ${trained} of the trained model.`,
  ]);
}

function describeDecoding({ temperature, topP, topK }: Decoding): string {
  if (temperature === 0) return "greedy";
  const nucleus = topP < 1 ? `, top-p ${topP}` : "";
  return `sampled at temperature ${temperature}${nucleus}${topK > 0 ? `, top-k ${topK}` : ""}`;
}

/** Nothing where there is nothing to say. */
type Sentence = string | false | undefined;

function joined(texts: readonly Sentence[]): string {
  return texts.filter((text) => typeof text === "string").join(" ");
}

/** Lines of at most 80 characters, broken at spaces. */
function wrap(text: string): string {
  return text.replaceAll(/(.{1,80})(?: |$)/g, "$1\n").trimEnd();
}
