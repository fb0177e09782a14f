/** Shows the events of a run: a progress line for the stage under way, and a line that stays for each result. */
import { printable } from "../../core/printable.ts";
import { formatPercent } from "../../evaluate/index.ts";
import type { ExperimentEvent } from "../../train/experiment.ts";
import { createProgress, type Progress, type ProgressFacts, type ProgressStream } from "./progress.ts";
import { renderWarning } from "./warnings-view.ts";

/** Beyond this share it is the limit that fails, not the model. */
const MANY_CUT = 0.5;

export interface ExperimentView {
  show(event: ExperimentEvent): void;
  end(): void;
}

export function createExperimentView(stream: ProgressStream, maxSteps: number): ExperimentView {
  const { advance, print, end } = createStages(stream);
  return {
    end,
    show(event) {
      switch (event.type) {
        case "collect-begun":
          return advance("collect", 0, event.total);
        case "collecting":
          return advance("collect", event.done, event.total, { note: `${event.failures} failures` });
        case "collected":
          end();
          for (const line of describeCollected(event)) print(line);
          return;
        case "evaluating":
          return advance(event.stage, event.done, event.total);
        case "step":
          return advance("train", event.step, maxSteps, factsOf(event), event.step - 1);
        case "warning":
          return print(renderWarning(event));
        case "evaluation":
          return print(`step ${event.step}, validation: ${describe(event.metrics)}`);
        case "checkpoint":
          return print(`checkpoint: ${event.path}`);
        case "logging":
          return print(`warning: ${printable(event.message)}`);
        case "stopped":
        case "done":
          return end();
      }
    },
  };
}

/** The stage under way, if any, and lines between stages. */
function createStages(stream: ProgressStream) {
  let stage: string | undefined;
  let progress: Progress | undefined;
  // a stage is first heard of when some of it is done: it began when the one before it ended
  let idleSince = performance.now();
  const end = () => {
    if (!progress) return;
    progress.end();
    progress = undefined;
    stage = undefined;
    idleSince = performance.now();
  };
  /** How far a stage is; a new one ends the last. */
  const advance = (label: string, done: number, total: number, facts: ProgressFacts = {}, start = 0) => {
    if (stage !== label || !progress) {
      end();
      stage = label;
      progress = createProgress({ stream, label, total, start, begin: idleSince });
    }
    if (done === 0) return progress.begin();
    progress.update(done, facts);
    if (done >= total) end();
  };
  const print = (line: string) => {
    if (progress) return progress.print(line);
    stream.write(`${line}\n`);
    idleSince = performance.now();
  };
  return { advance, print, end };
}

type EventOf<Type> = Extract<ExperimentEvent, { type: Type }>;

function describeCollected({ failures, attempted, truncated, limit }: EventOf<"collected">): string[] {
  const lines = [`collected ${failures} failures in ${attempted} attempts`];
  if (truncated > MANY_CUT) {
    const share = `${Math.round(100 * truncated)} %`;
    lines.push(
      `warning: ${share} of the failed attempts were cut at ${limit} tokens; --max-attempt-length raises that`,
    );
  }
  return lines;
}

function factsOf({ metrics, timings }: EventOf<"step">): ProgressFacts {
  return {
    ...(metrics.reward !== undefined && { reward: metrics.reward }),
    tokensPerSecond: timings.tokens_per_second,
  };
}

const SHOWN = [
  ["eval/first_try", "first try"],
  ["eval/second_try", "second try"],
  ["eval/rescue", "rescue"],
  ["eval/rescue_no_leak", "rescue without leaks"],
] as const;

function describe(metrics: Record<string, number>): string {
  return SHOWN.flatMap(([key, name]) => {
    const value = metrics[key];
    return value === undefined ? [] : [`${name} ${formatPercent(value)}`];
  }).join(", ");
}
