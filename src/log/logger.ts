/**
 * What other programs are told of a run while it is under way. A logger takes events and gives nothing back: a run is the
 * same with and without it, whatever becomes of what was logged.
 */

export interface LogEvent {
  type: "step" | "evaluation";
  step: number;
  metrics: Readonly<Record<string, number | null>>;
}

/** How a run ended. A stopped one may go on. */
export type Outcome = "finished" | "stopped" | "failed";

export interface Logger {
  /** Takes an event and returns at once; what cannot be delivered is warned of, never thrown. */
  log(event: LogEvent): void;
  /** Delivers what is left, for a bounded time. Never throws. */
  close(outcome: Outcome): Promise<void>;
}

/** What a logger is made from. */
export interface LogContext {
  /** Its own file or folder in the run folder. */
  path: string;
  /** The resolved configuration. */
  settings: Readonly<Record<string, unknown>>;
  /** A name for people. */
  runName: string;
  /** Set when the run goes on: the newest step that it goes on from, 0 when it begins again. */
  resumedFrom: number | undefined;
  /** Milliseconds since 1970. */
  now: () => number;
  warn: (message: string) => void;
}

/** Metrics that are numbers, by name. */
export function numbersOf({ metrics }: LogEvent): [name: string, value: number][] {
  return Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === "number");
}
