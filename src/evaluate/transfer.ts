/**
 * What training changed on other tasks: first tries of the starting and the trained model on the same problems with the
 * same draws. A loss is forgetting, a gain is transfer.
 */
import type { Verdict } from "../core/task.ts";
import { rescueOf } from "./measures.ts";
import {
  type BootstrapOptions,
  bootstrapRatio,
  bootstrapRatioDifference,
  type Interval,
} from "./statistics.ts";
import { formatInterval, formatPercent } from "./table.ts";

/** One task: the share of solved first tries; `gain` is trained - start, problems drawn in pairs. */
export interface TransferRow {
  task: string;
  problems: number;
  start: Interval;
  trained: Interval;
  gain: Interval;
}

/** Verdicts of both models in the order of the problems; what was not scored counts in neither rate. */
export function transferRow(
  task: string,
  { start, trained }: { start: readonly Verdict[]; trained: readonly Verdict[] },
  options: BootstrapOptions,
): TransferRow {
  const [before, after] = [start, trained].map((verdicts) => rescueOf(verdicts.map(({ kind }) => kind)));
  return {
    task,
    problems: start.length,
    start: bootstrapRatio(before!, options),
    trained: bootstrapRatio(after!, options),
    gain: bootstrapRatioDifference(after!, before!, options),
  };
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
