/**
 * Whose doing is a rescue, the reflection's or the retry's? One model's reflections in another's mouth (method.md §9.3):
 * with both models' own rescues, the 2×2 table of reflector and retrier.
 */
import type { Problem, Task } from "../core/task.ts";
import type { Policy } from "../loop/policy.ts";
import { rowsOf } from "../loop/verdicts.ts";
import { inBatches, type Progress } from "./batches.ts";
import { type Outcome, retryAfterInserted } from "./controls.ts";
import { drawSeed, type Evaluation } from "./evaluation.ts";

export interface SwapOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
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
