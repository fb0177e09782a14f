/**
 * The boundary between the method and a user's verifier: whatever the verifier does, out comes a Verdict. A verifier
 * that fails leaves the answer unscored; it never ends a run and never turns into a reward of 0.
 */
import type { Verdict, VerifierAnswer } from "../core/task.ts";

/** Longest answer, in UTF-16 units, that a verifier is shown: no honest answer is longer, and a regex may be slow. */
export const MAX_ANSWER_LENGTH = 65_536;

/** A class is a name, not a message: reports have a row for each. */
const MAX_CLASS_LENGTH = 64;
/** Longest feedback or cause that is kept: it is for people and logs, with every episode. */
const MAX_TEXT_LENGTH = 2000;

export interface VerifyOptions {
  /** How long an asynchronous verifier may take; Infinity: it keeps a limit of its own. One that blocks the thread cannot be stopped here. */
  timeoutMs?: number;
}

/** Calls a task's verifier and adapts what it returns. Never throws. */
export async function verifyAnswer<Row>(
  task: { verify(answer: string, row: Row): VerifierAnswer | Promise<VerifierAnswer> },
  answer: string,
  row: Row,
  { timeoutMs = 10_000 }: VerifyOptions = {},
): Promise<Verdict> {
  try {
    const pending = task.verify(answer.slice(0, MAX_ANSWER_LENGTH), row);
    return verdictFrom(await withTimeout(pending, timeoutMs));
  } catch (error) {
    return { kind: "unscored", cause: `the verifier threw: ${describe(error)}`.slice(0, MAX_TEXT_LENGTH) };
  }
}

/** What a verifier returned, as a Verdict; anything outside its contract is unscored. */
function verdictFrom(answer: unknown): Verdict {
  if (typeof answer === "boolean") return answer ? { kind: "solved" } : { kind: "failed", feedback: "" };
  if (typeof answer === "number" && Number.isFinite(answer)) {
    return answer >= 1 ? { kind: "solved" } : { kind: "failed", feedback: `score ${answer}` };
  }
  if (answer === null || answer === undefined) {
    return { kind: "unscored", cause: "the verifier returned no verdict" };
  }
  if (typeof answer === "object" && "kind" in answer) {
    if (answer.kind === "solved") return { kind: "solved" };
    if (answer.kind === "failed") return failedFrom(answer);
    if (answer.kind === "unscored") return { kind: "unscored", cause: textOf(answer, "cause") };
  }
  const expected = "expected true, false, a finite number, null or a verdict";
  return { kind: "unscored", cause: `the verifier returned ${describe(answer).slice(0, 200)}: ${expected}` };
}

/** A verdict written as JSON: what a function may return, by a program. */
export function verdictFromJson(text: string): Verdict {
  try {
    return verdictFrom(JSON.parse(text));
  } catch {
    const start = text.trim().slice(0, 80);
    return {
      kind: "unscored",
      cause: `the verifier must give a verdict as JSON, got ${JSON.stringify(start)}`,
    };
  }
}

function failedFrom(answer: object): Verdict {
  const errorClass = textOf(answer, "errorClass").slice(0, MAX_CLASS_LENGTH);
  const solvedLeniently: unknown = Reflect.get(answer, "solvedLeniently");
  return {
    kind: "failed",
    feedback: textOf(answer, "feedback"),
    ...(errorClass !== "" && { errorClass }),
    ...(typeof solvedLeniently === "boolean" && { solvedLeniently }),
  };
}

function textOf(answer: object, key: string): string {
  const value: unknown = Reflect.get(answer, key);
  return typeof value === "string" ? value.slice(0, MAX_TEXT_LENGTH) : "";
}

async function withTimeout<T>(pending: T | Promise<T>, timeoutMs: number): Promise<T | Verdict> {
  if (timeoutMs === Number.POSITIVE_INFINITY) return pending;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Verdict>((resolve) => {
    const cause = `the verifier took longer than ${timeoutMs} ms`;
    timer = setTimeout(() => resolve({ kind: "unscored", cause }), timeoutMs);
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Text for a log, of any thrown or returned value: even one that has no string form. */
function describe(value: unknown): string {
  try {
    if (value instanceof Error) return value.message;
    return typeof value === "object" ? (JSON.stringify(value) ?? "an object") : String(value);
  } catch {
    return `a ${typeof value}`;
  }
}
