/** What a policy can do, with and without its reflections: evaluations, controls, paired comparisons, reports. */

export { type EvaluationProgress, inBatches } from "./batches.ts";
export {
  type Comparison,
  type ComparisonOptions,
  type Contrast,
  compareEvaluations,
} from "./comparison.ts";
export type { ControlOutcomes, EvaluatedPolicy, Outcome } from "./controls.ts";
export {
  drawSeed,
  type Evaluation,
  type EvaluationDecoding,
  type EvaluationOptions,
  evaluatePolicy,
  type FailureOutcome,
  failuresOf,
  type ProblemOutcome,
} from "./evaluation.ts";
export {
  describeVerdict,
  type Example,
  episodeLine,
  pickExamples,
  renderEpisodes,
  renderExamples,
  withNotes,
} from "./examples.ts";
export { MEASURES, type Measure, summarize } from "./measures.ts";
export {
  type EvaluationRow,
  evaluationRows,
  type ReportTable,
  renderEvaluation,
  renderReport,
  reportCaption,
  reportTables,
} from "./report.ts";
export { parseEvaluation, SavedEvaluation } from "./saved-evaluation.ts";
export {
  type BootstrapOptions,
  bootstrapMean,
  bootstrapMeanDifference,
  bootstrapRatio,
  bootstrapRatioDifference,
  bootstrapSeedMeans,
  bootstrapSeeds,
  type Interval,
  type McNemarResult,
  mcnemarExact,
  type Ratio,
  type SeedBootstrapOptions,
  wilsonInterval,
} from "./statistics.ts";
export {
  type CrossedOutcomes,
  renderSwap,
  type SwapCell,
  type SwapOptions,
  swapCells,
  swapReflections,
} from "./swap.ts";
export { cellsOf, formatInterval, formatLevel, formatPercent, type TableRow } from "./table.ts";
export { renderTransfer, type TransferRow, transferRow } from "./transfer.ts";
