/** A comparison as two small tables with a line on how to read each, for terminals and for the README. */
import { printable } from "../core/printable.ts";
import type { Decoding } from "../loop/policy.ts";
import type { Comparison } from "./comparison.ts";
import type { Evaluation } from "./evaluation.ts";
import { errorClasses, errorShare, MEASURES, type Measure } from "./measures.ts";
import { bootstrapRatio, type Ratio } from "./statistics.ts";
import { formatPercent, renderMarkdown, renderText, type TableRow } from "./table.ts";

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

/** Plain text, or Markdown with the same words. */
export function renderReport(comparison: Comparison, format: "text" | "markdown" = "text"): string {
  const render = format === "text" ? renderText : renderMarkdown;
  const title = (text: string) => (format === "text" ? text : `**${text}**`);
  const sentences = (...texts: Sentence[]) => {
    const text = joined(texts);
    return format === "text" ? wrap(text) : text;
  };
  const { problems, failures } = comparison.counts;
  const blocks = [
    title(`The paper's four columns: ${counted(problems, "problem")}`),
    render(rowsFrom(comparison, PROBLEM_ROWS)),
    sentences(
      "The second try counts a problem solved at first, or by one retry after the model reflected on its own failure.",
      comparison.measures.pass_at_2 && "Two independent tries cost as many answers and no reflection.",
      flips(comparison),
    ),
    title(`Rescue on the ${counted(failures, "failure")} of the starting model, and controls`),
    render(rowsFrom(comparison, FAILURE_ROWS)),
    sentences(
      "Both models retry the same failed attempts; where what a reflection says matters, the first row gains more than the controls below it.",
      shuffled(comparison),
    ),
    ...errorBlocks(comparison, { title, render }),
    sentences(...caption(comparison)),
  ];
  return blocks.join("\n\n");
}

/** One model alone: every rate with its 95 % interval. */
export function renderEvaluation(
  evaluation: Evaluation,
  { seed, bootstrap }: { seed: number; bootstrap: number },
): string {
  const { problems, failures } = evaluation.counts;
  const line = (name: string, ratio: Ratio, format = formatPercent) => {
    const { estimate, low, high } = bootstrapRatio(ratio, { seed, resamples: bootstrap });
    if (Number.isNaN(estimate)) return [];
    return [`${name.padEnd(30)}${format(estimate).padStart(8)}  [${format(low)}, ${format(high)}]`];
  };
  const lines = [...PROBLEM_ROWS, ...FAILURE_ROWS].flatMap(([measure, name]) => {
    const format = measure === "reflection_length" ? (value: number) => value.toFixed(1) : formatPercent;
    return line(name, MEASURES[measure](evaluation), format);
  });
  const errors = errorClasses(evaluation).flatMap((errorClass) =>
    line(`first try: ${nameOf(errorClass)}`, errorShare(evaluation, errorClass)),
  );
  return [`${counted(problems, "problem")}, ${counted(failures, "failure")}`, ...lines, ...errors].join("\n");
}

/** Nothing where the task names no sorts of mistake. */
function errorBlocks(
  { errors }: Comparison,
  { title, render }: { title(text: string): string; render(rows: TableRow[]): string },
): string[] {
  if (errors.length === 0) return [];
  const rows = errors.map(({ errorClass, contrast: { start, trained, gain } }) => {
    return { name: nameOf(errorClass), start: start.estimate, trained: trained.estimate, gain };
  });
  return [title("First tries by what was wrong"), render(rows)];
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
    const unit = measure === "reflection_length" ? "number" : "percent";
    return [{ name, start: start.estimate, trained: trained.estimate, gain, unit }];
  });
}

function flips({ firstTryFlips: { won, lost, p } }: Comparison): string {
  const chance = p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
  return `At the first try training won ${counted(won, "problem")} and lost ${lost} (McNemar ${chance}).`;
}

function shuffled({ shuffledShare: share }: Comparison): string | undefined {
  if (!share || !Number.isFinite(share.estimate)) return undefined;
  const bounds = [share.low, share.high].map((bound) => formatPercent(bound).replace(" %", ""));
  return `Another problem's reflections keep ${formatPercent(share.estimate)} of the rescue gain [${bounds.join(", ")}].`;
}

/** What a reader needs to remake the numbers. */
function caption({ task, decoding, seed, bootstrap, counts }: Comparison): Sentence[] {
  const { attempt, reflection, retry } = decoding;
  const limits = `at most ${attempt.maxTokens} / ${reflection.maxTokens} / ${retry.maxTokens} tokens`;
  const manners = [attempt, reflection, retry].map(describeDecoding);
  const manner = new Set(manners).size === 1 ? manners[0]! : manners.join(" / ");
  const { start, trained } = counts.unscored;
  return [
    `Task ${task}; attempt / reflection / retry ${manner}, ${limits}.`,
    `Evaluation seed ${seed}; paired bootstrap, ${bootstrap.resamples} resamples, seed ${bootstrap.seed}.`,
    start + trained > 0 &&
      `Left out as unscored: ${start} answers of the start, ${trained} of the trained model.`,
  ];
}

function describeDecoding({ temperature, topP, topK }: Decoding): string {
  if (temperature === 0) return "greedy";
  const nucleus = topP < 1 ? `, top-p ${topP}` : "";
  return `sampled at temperature ${temperature}${nucleus}${topK > 0 ? `, top-k ${topK}` : ""}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
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
