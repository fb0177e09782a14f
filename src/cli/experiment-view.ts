/** Shows the events of a run: a progress line for the stage under way, and a line that stays for each result. */
import type { ExperimentEvent } from "../train/experiment.ts";
import { createProgress, type Progress, type ProgressStream } from "./progress.ts";

export interface ExperimentView {
  show(event: ExperimentEvent): void;
  end(): void;
}

export function createExperimentView(stream: ProgressStream, maxSteps: number): ExperimentView {
  let stage: string | undefined;
  let progress: Progress | undefined;
  const end = () => {
    progress?.end();
    progress = undefined;
    stage = undefined;
  };
  /** The progress of a stage; a new one ends the last. */
  const at = (label: string, total: number, start = 0): Progress => {
    if (stage !== label || !progress) {
      end();
      stage = label;
      progress = createProgress({ stream, label, total, start });
    }
    return progress;
  };
  const print = (line: string) => (progress ? progress.print(line) : void stream.write(`${line}\n`));

  return {
    end,
    show(event) {
      switch (event.type) {
        case "collecting":
          return at("collect", event.total).update(event.done, { note: `${event.failures} failures` });
        case "collected":
          end();
          return print(`collected ${event.failures} failures in ${event.attempted} attempts`);
        case "evaluating":
          return at(event.stage, event.total).update(event.done);
        case "step": {
          const { metrics, step } = event;
          const tokensPerSecond = metrics.tokens_per_second;
          return at("train", maxSteps, step - 1).update(step, {
            ...(metrics.reward !== undefined && { reward: metrics.reward }),
            ...(tokensPerSecond !== undefined && { tokensPerSecond }),
          });
        }
        case "evaluation":
          return print(`step ${event.step}, validation: ${describe(event.metrics)}`);
        case "checkpoint":
          return print(`checkpoint: ${event.path}`);
        case "stopped":
        case "done":
          return end();
      }
    },
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
    return value === undefined ? [] : [`${name} ${(100 * value).toFixed(1)} %`];
  }).join(", ");
}
