/**
 * The one error type that Mulligan throws on purpose. It says what rule was broken, by which value, and what to do
 * next; anything else that escapes is a bug. Knows nothing of any other module.
 */

export type ErrorCode =
  | "config" // an impossible or misspelt setting
  | "data" // a row, line or file of the user's that cannot be read
  | "checkpoint" // model or optimiser files: missing, truncated, wrong shapes
  | "hub" // a model that the Hugging Face hub or its cache does not give
  | "model" // unsupported architecture or config field
  | "tokenizer" // tokenizer or chat template lacks something the method needs
  | "context" // a prompt that does not fit the model's context
  | "graph" // shape or dtype mistake while building a graph
  | "engine" // the engine was asked for something it cannot do
  | "nonfinite" // NaN or infinity came out where a number was computed: scores, loss, gradient
  | "task" // a task definition that breaks its contract
  | "io"; // a folder or file that cannot be written

export interface ErrorDetails {
  /** The next command to run, or the valid choices. */
  hint?: string;
  cause?: unknown;
}

/** Longest message, in characters: what it quotes comes from files of any size. */
const MAX_MESSAGE = 4000;

export class MulliganError extends Error {
  override readonly name = "MulliganError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const shown = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;
    super(shown, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
  }
}

/** Did a number come out as NaN or infinity? */
export function isNonFinite(error: unknown): error is MulliganError {
  return error instanceof MulliganError && error.code === "nonfinite";
}

/** What an error says; anything may be thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Is this no mistake, but the work that ended because the signal asked it to? */
export function isStop(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && error === signal.reason;
}

/** A longer name is no misspelling, and comparing it would take long. */
const MAX_NAME = 64;

/** The valid choice nearest to a misspelt one by edit distance, or undefined when none is near. */
export function nearestName(name: string, choices: readonly string[]): string | undefined {
  if (name.length > MAX_NAME) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const choice of choices) {
    const distance = editDistance(name.toLowerCase(), choice.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
      best = choice;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length]!;
}
