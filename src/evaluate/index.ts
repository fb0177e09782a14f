/** What a policy can do, with and without its reflections: evaluations, controls, paired comparisons, reports. */

export { type EvaluationProgress, inBatches } from "./batches.ts";
export { type Comparison, compareEvaluations } from "./comparison.ts";
export { drawSeed, type Evaluation, evaluatePolicy, type FailureOutcome, failuresOf } from "./evaluation.ts";
export {
  describeVerdict,
  type Example,
  episodeLine,
  pickExamples,
  renderEpisodes,
  renderExamples,
  withNotes,
} from "./examples.ts";
export { type Measure, summarize } from "./measures.ts";
export {
  evaluationRows,
  type ReportTable,
  renderEvaluation,
  renderReport,
  reportCaption,
  reportTables,
} from "./report.ts";
export { parseEvaluation, SavedEvaluation } from "./saved-evaluation.ts";
export { wilsonInterval } from "./statistics.ts";
export { renderSwap, type SwapCell, type SwapOptions, swapCells, swapReflections } from "./swap.ts";
export { cellsOf, formatInterval, formatLevel, formatPercent, type TableRow } from "./table.ts";
export { renderTransfer, type TransferRow, transferRow } from "./transfer.ts";
