/**
 * What training changed on other tasks: first tries of the starting and the trained model on the same problems with the
 * same draws. A loss is forgetting, a gain is transfer.
 */
import type { Verdict } from "../core/task.ts";
import { type Contrast, contrastOf, type Resampling } from "./comparison.ts";
import { solvedShare } from "./measures.ts";
import { formatInterval, formatPercent } from "./table.ts";

/** One task: the share of solved first tries, problems drawn in pairs. */
export interface TransferRow extends Contrast {
  task: string;
  problems: number;
}

/** Verdicts of both models in the order of the problems; what was not scored counts in neither rate. */
export function transferRow(
  task: string,
  { start, trained }: { start: readonly Verdict[]; trained: readonly Verdict[] },
  resampling: Resampling,
): TransferRow {
  const share = (verdicts: readonly Verdict[]) => solvedShare(verdicts.map(({ kind }) => kind));
  return { task, problems: start.length, ...contrastOf(share(start), share(trained), resampling) };
}

/** A line per task. */
export function renderTransfer(rows: readonly TransferRow[]): string {
  const width = 2 + Math.max("first tries".length, ...rows.map(({ task }) => task.length));
  const line = (task: string, problems: string, start: string, trained: string, gain: string) =>
    `${task.padEnd(width)}${problems.padStart(8)}${start.padStart(9)}${trained.padStart(9)}  ${gain}`;
  const header = line("first tries", "problems", "start", "trained", "gain, 95 % interval");
  const lines = rows.map(({ task, problems, start, trained, gain }) =>
    line(
      task,
      String(problems),
      formatPercent(start.estimate),
      formatPercent(trained.estimate),
      formatInterval(gain),
    ),
  );
  return [header, "-".repeat(header.length), ...lines].join("\n");
}
