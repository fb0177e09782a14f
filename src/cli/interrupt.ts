/** Ctrl-C: the first asks for a clean stop, the second ends the process at once. */
import type { EventEmitter } from "node:events";
import type { ProgressStream } from "./view/progress.ts";

export interface Interrupt {
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Stops listening. */
  dispose(): void;
}

/** By convention of shells: 128 + the number of SIGINT. */
export const INTERRUPTED = 130;

export function watchInterrupts(
  source: Pick<EventEmitter, "on" | "off">,
  stderr: ProgressStream,
  exit: (code: number) => void,
): Interrupt {
  const controller = new AbortController();
  const onSigint = () => {
    if (controller.signal.aborted) {
      exit(INTERRUPTED);
      return;
    }
    stderr.write("\nstopping after this step (Ctrl-C again to quit at once)\n");
    controller.abort();
  };
  source.on("SIGINT", onSigint);
  return { signal: controller.signal, dispose: () => source.off("SIGINT", onSigint) };
}
