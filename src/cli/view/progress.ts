/**
 * What is happening, on one line of stderr: redrawn in place on a terminal, a plain line now and then elsewhere. Knows
 * steps and facts about them, not what a step is.
 */
import { formatDuration, formatNumber } from "./format.ts";

export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ProgressOptions {
  stream: ProgressStream;
  /** What is being done: "train", "collect". */
  label: string;
  /** The last step. */
  total: number;
  /** Where a resumed run begins. Default 0. */
  start?: number;
  /** When the first step began, by the clock. Default: now. */
  begin?: number;
  /** A clock in milliseconds. */
  now?: () => number;
}

export interface ProgressFacts {
  reward?: number;
  tokensPerSecond?: number;
  /** Anything else worth seeing: "812 failures". */
  note?: string;
}

export interface Progress {
  /** Says what there is to do before any of it is done. */
  begin(): void;
  update(step: number, facts?: ProgressFacts): void;
  /** Prints a line of its own above the bar. */
  print(line: string): void;
  /** Leaves the last state standing and ends its line. */
  end(): void;
}

const REDRAW_MS = 100;
const LINE_MS = 10_000;
const BAR_WIDTH = 20;
const CLEAR_LINE = "\r\u001b[K";

export function createProgress(options: ProgressOptions): Progress {
  const { stream, label, total, start = 0, now = () => performance.now() } = options;
  const isTerminal = stream.isTTY === true;
  const begin = options.begin ?? now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let line = "";
  let isDrawn = false;

  const draw = (step: number) => {
    const isDue = now() - drawnAt >= (isTerminal ? REDRAW_MS : LINE_MS);
    if (!isDue && step < total) return;
    drawnAt = now();
    if (!isTerminal) {
      stream.write(`${line}\n`);
      return;
    }
    // one column stays free: a line that fills the last one wraps in some terminals
    stream.write(CLEAR_LINE + line.slice(0, Math.max(1, (stream.columns || 80) - 1)));
    isDrawn = true;
  };

  return {
    begin() {
      line = `${isTerminal ? `${label} ${bar(0)}` : label}  ${total} to do`;
      // the first step that is done is shown as though nothing had been drawn
      stream.write(isTerminal ? CLEAR_LINE + line.slice(0, (stream.columns || 80) - 1) : `${line}\n`);
      isDrawn = isTerminal;
    },
    update(step, facts = {}) {
      const elapsed = (now() - begin) / 1000;
      const done = step - start;
      const left = done > 0 && step < total ? (elapsed / done) * (total - step) : undefined;
      const parts = [
        `${step}/${total}`,
        facts.reward === undefined ? "" : `reward ${formatReward(facts.reward)}`,
        facts.tokensPerSecond === undefined
          ? ""
          : `${formatNumber(Math.round(facts.tokensPerSecond))} tokens/s`,
        facts.note ?? "",
        left === undefined ? (step < total ? "" : formatDuration(elapsed)) : `${formatDuration(left)} left`,
      ].filter((part) => part !== "");
      line = [isTerminal ? `${label} ${bar(step / total)}` : label, ...parts].join("  ");
      draw(step);
    },
    print(text) {
      stream.write(
        isDrawn ? `${CLEAR_LINE}${text}\n${line.slice(0, (stream.columns || 80) - 1)}` : `${text}\n`,
      );
    },
    end() {
      if (isDrawn) stream.write("\n");
      isDrawn = false;
    },
  };
}

/** Always two decimals: a line that is redrawn must not jump. */
function formatReward(reward: number): string {
  return Number.isFinite(reward) ? reward.toFixed(2) : "–";
}

function bar(fraction: number): string {
  const filled = Math.round(BAR_WIDTH * Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 1)));
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}
