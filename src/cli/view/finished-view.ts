/** What a run left, by name, for whoever wants to look at it or use it. */
import { existsSync } from "node:fs";
import { shellWord } from "../../core/shell.ts";
import type { RunFolder } from "../../store/run-folder.ts";

/** A line for each thing. */
export function renderProducts({ dir, reportPage, model }: RunFolder): string {
  const page = existsSync(reportPage)
    ? `To look at, in a browser: ${reportPage}`
    : `To look at: it has no report.html, mulligan report ${shellWord(dir)} makes it`;
  return `${page}\nThe trained model, for transformers and others: ${model}\n`;
}

/** Of a run that is asked to go on and has nothing left to do. */
export function renderFinished(folder: RunFolder, steps: number): string {
  const state = `The run is finished: ${steps} of ${steps} steps are done, and nothing was changed.`;
  return `${state}\nResults: ${folder.report}\n${renderProducts(folder)}`;
}
