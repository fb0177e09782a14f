/** Ctrl-C, SIGTERM and SIGHUP: the first asks for a clean stop, a second one of any of them ends the process at once. */
import type { EventEmitter } from "node:events";
import { constants } from "node:os";
import type { ProgressStream } from "./view/progress.ts";

export interface Interrupt {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Of a process that was stopped: by convention of shells 128 + the number of the first signal. */
  exitCode(): number;
  /** Stops listening. */
  dispose(): void;
}

/** SIGTERM is what a scheduler, a container or a shutdown sends, SIGHUP a terminal that goes away. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type Signal = (typeof SIGNALS)[number];

const exitCodeOf = (signal: Signal) => 128 + constants.signals[signal];

/** What a stopped program returns where nothing is known of a signal: Ctrl-C's. */
export const INTERRUPTED = exitCodeOf("SIGINT");

/** What a command finishes before it stops, where that is not a step of training. */
const UNITS = new Map([
  ["bench", "this measurement"],
  ["check-task", "this row"],
  ["collect", "these attempts"],
  ["doctor", "this check"],
  ["eval", "these attempts"],
  ["export", "this part"],
  ["init", "this file"],
  ["sample", "these attempts"],
  ["swap", "these attempts"],
  ["transfer", "these attempts"],
]);

export const unitOf = (command: string | undefined) => UNITS.get(command ?? "") ?? "this step";

/** `unit`: what is finished first, in words. */
export function watchInterrupts(
  source: Pick<EventEmitter, "on" | "off">,
  stderr: ProgressStream,
  exit: (code: number) => void,
  unit: string,
): Interrupt {
  const controller = new AbortController();
  let first: Signal | undefined;
  const onSignal = (signal: Signal) => () => {
    if (first) {
      exit(exitCodeOf(signal));
      return;
    }
    first = signal;
    stderr.write(
      signal === "SIGINT"
        ? `\nstopping after ${unit} (Ctrl-C again to quit at once)\n`
        : `\n${signal}: stopping after ${unit} (a second signal quits at once)\n`,
    );
    controller.abort();
  };
  const listeners = SIGNALS.map((signal) => [signal, onSignal(signal)] as const);
  for (const [signal, listener] of listeners) source.on(signal, listener);
  return {
    signal: controller.signal,
    exitCode: () => exitCodeOf(first ?? "SIGINT"),
    dispose() {
      for (const [signal, listener] of listeners) source.off(signal, listener);
    },
  };
}
