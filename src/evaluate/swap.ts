/**
 * Whose doing is a rescue, the reflection's or the retry's? One model's reflections in another's mouth (method.md §9.3):
 * with both models' own rescues, the 2×2 table of reflector and retrier.
 */
import type { Problem, Task } from "../core/task.ts";
import type { Policy } from "../loop/policy.ts";
import { rowsOf } from "../loop/verdicts.ts";
import { type EvaluationProgress, inBatches } from "./batches.ts";
import { requireSameItems } from "./comparison.ts";
import { type Outcome, retryAfterInserted } from "./controls.ts";
import { drawSeed, type Evaluation } from "./evaluation.ts";
import { solvedShare } from "./measures.ts";
import {
  type BootstrapOptions,
  bootstrapRatio,
  bootstrapRatioDifference,
  type Interval,
} from "./statistics.ts";
import { formatInterval, formatPercent } from "./table.ts";

export interface SwapOptions {
  signal?: AbortSignal;
  onProgress?: (progress: EvaluationProgress) => void;
}

/**
 * What `retrier` makes of the failures and reflections of `reflector`, in their order, with the draws and the decoding of
 * that evaluation. Both models must have the same tokenizer.
 */
export function swapReflections(
  reflector: Evaluation,
  retrier: Policy,
  task: Task,
  problems: readonly Problem[],
  { signal, onProgress }: SwapOptions = {},
): Promise<Outcome[]> {
  const { decoding, seed, failures } = reflector;
  const options = { rows: rowsOf(problems), decoding: decoding.retry, seed: drawSeed(seed), step: 0, signal };
  return inBatches(
    "swapped reflections",
    failures,
    (batch) => retryAfterInserted(retrier, task, batch, options),
    onProgress,
  );
}

/** One cell of the 2×2 table: rescue on the starting model's failures, and the gain over that model's own. */
export interface SwapCell {
  reflector: "start" | "trained";
  retrier: "start" | "trained";
  rescue: Interval;
  gain: Interval;
}

/** Outcomes of the two crossed cells, in the order of the failures. */
export interface CrossedOutcomes {
  /** The trained model's reflections in the starting model's mouth. */
  trainedReflector: readonly Outcome[];
  /** The starting model's in the trained one's. */
  trainedRetrier: readonly Outcome[];
}

/** The 2×2 table with paired-bootstrap intervals. Throws `MulliganError("data")` when the evaluations do not match. */
export function swapCells(
  start: Evaluation,
  trained: Evaluation,
  { trainedReflector, trainedRetrier }: CrossedOutcomes,
  options: BootstrapOptions,
): SwapCell[] {
  requireSameItems(start, trained);
  const own = (evaluation: Evaluation) => evaluation.failures.map(({ verdict }) => verdict.kind);
  const outcomes = [
    { reflector: "start", retrier: "start", list: own(start) },
    { reflector: "trained", retrier: "start", list: trainedReflector },
    { reflector: "start", retrier: "trained", list: trainedRetrier },
    { reflector: "trained", retrier: "trained", list: own(trained) },
  ] as const;
  const before = solvedShare(outcomes[0].list);
  return outcomes.map(({ reflector, retrier, list }) => ({
    reflector,
    retrier,
    rescue: bootstrapRatio(solvedShare(list), options),
    gain: bootstrapRatioDifference(solvedShare(list), before, options),
  }));
}

/** A line per cell. */
export function renderSwap(cells: readonly SwapCell[]): string {
  const who = { start: "starting model", trained: "trained model" };
  const lines = cells.map(({ reflector, retrier, rescue, gain }) =>
    [
      who[reflector].padEnd(16),
      who[retrier].padEnd(16),
      formatPercent(rescue.estimate).padStart(8),
      ...(reflector === "start" && retrier === "start" ? [] : [`  ${formatInterval(gain)}`]),
    ].join(""),
  );
  const header = `${"reflections by".padEnd(16)}${"retries by".padEnd(16)}${"rescue".padStart(8)}  gain, 95 % interval`;
  return [header, "-".repeat(header.length), ...lines].join("\n");
}
