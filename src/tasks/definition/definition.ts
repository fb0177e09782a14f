/** What the author of a task gives, and whether it is that: misspelt fields and wrong types are named before anything runs. */
import { MulliganError, nearestName } from "../../core/errors.ts";
import type { Message, Split, ToolDefinition, VerifierAnswer } from "../../core/task.ts";
import type { ExternalVerifier } from "../../verify/apart/verifier.ts";
import type { FindRowFiles } from "../row-files.ts";
import { SPLITS } from "../split.ts";

/**
 * Rows themselves; the path of a .jsonl, .json, .csv or .parquet file; a data set of the hub, "hf:organisation/name:split";
 * or a function that returns rows, which is given one that finds the files of such a path or name.
 */
export type RowSource<Row> =
  | readonly Row[]
  | string
  | ((files: FindRowFiles) => readonly Row[] | Promise<readonly Row[]>);

export interface TaskDefinition<Row> {
  /** Shown in logs and tables. Default "task". */
  name?: string;
  /** One source is split 80/10/10 by a hash of the row ids; three sources are taken as they are. */
  rows: RowSource<Row> | Readonly<Record<Split, RowSource<Row>>>;
  /** The question as text, or the messages that open the conversation, the last one the user's. */
  prompt(row: Row): string | readonly Message[];
  /**
   * Is this answer right? A function that returns a boolean, a number (solved from 1) or a Verdict, and may be
   * asynchronous; or a command or an endpoint that is given `{ answer, row }` as JSON.
   */
  verify: ((answer: string, row: Row) => VerifierAnswer | Promise<VerifierAnswer>) | ExternalVerifier;
  /** A right answer as the model should write it, where one is known. Default: the row's `answer`. */
  answer?(row: Row): string | undefined;
  /** Functions that the model's chat template shows to it, as `{ type: "function", function: { name, ... } }`. */
  tools?(row: Row): readonly ToolDefinition[];
  /** Default: `PAPER_REFLECTION`. */
  reflectionPrompt?: string | ((row: Row) => string);
  /** Default: the last user message of the prompt again. */
  retryPrompt?: string | ((row: Row) => string);
  /** Default: "… Try again." and the last user message of the prompt. */
  plainRetryPrompt?: string | ((row: Row) => string);
  /** Does this reflection contain a complete solution? Left out: the leak rate is not measured. */
  leaks?(reflection: string, row: Row): boolean;
}

const KEYS = [
  "name",
  "rows",
  "prompt",
  "verify",
  "tools",
  "answer",
  "reflectionPrompt",
  "retryPrompt",
  "plainRetryPrompt",
  "leaks",
];

/** Throws `MulliganError("task")` that names the field. */
export function requireDefinition(definition: unknown): void {
  if (typeof definition !== "object" || definition === null) {
    throw new MulliganError("task", `defineTask: needs an object, got ${definition}`, { hint: EXAMPLE });
  }
  const given = definition as Record<string, unknown>;
  const name = typeof given.name === "string" ? given.name : "task";
  for (const key of Object.keys(given)) {
    if (KEYS.includes(key)) continue;
    const near = nearestName(key, KEYS);
    throw new MulliganError("task", `task ${name}: unknown field "${key}"`, {
      hint: near ? `did you mean "${near}"?` : `the fields are ${KEYS.join(", ")}`,
    });
  }
  const rule = (key: string, wanted: string, ok: (value: unknown) => boolean) => {
    if (ok(given[key])) return;
    const got = given[key] === undefined ? "nothing" : typeof given[key];
    throw new MulliganError("task", `task ${name}: ${key} must be ${wanted}, got ${got}`, { hint: EXAMPLE });
  };
  const isFunction = (value: unknown) => typeof value === "function";
  const isText = (value: unknown) => typeof value === "string";
  const optional = (ok: (value: unknown) => boolean) => (value: unknown) => value === undefined || ok(value);
  rule("name", "text", optional(isText));
  rule("prompt", "a function of a row", isFunction);
  rule("verify", "a function of an answer and a row, { command: [program, …] } or { url }", isVerifier);
  rule("answer", "a function of a row", optional(isFunction));
  rule("tools", "a function of a row", optional(isFunction));
  rule("rows", "a list, a path, a function, or { train, validation, test } of those", isRowsField);
  for (const key of ["reflectionPrompt", "retryPrompt", "plainRetryPrompt"]) {
    rule(
      key,
      "text or a function of a row",
      optional((value) => isText(value) || isFunction(value)),
    );
  }
  rule("leaks", "a function of a reflection and a row", optional(isFunction));
}

const EXAMPLE = "defineTask({ rows: [...], prompt: (row) => row.question, verify: (answer, row) => ... })";

function isVerifier(value: unknown): boolean {
  if (typeof value === "function") return true;
  const { command, url, headers = {}, ...rest } = (value ?? {}) as Record<string, unknown>;
  if (Object.keys(rest).length > 0 || (command === undefined) === (url === undefined)) return false;
  const isText = (part: unknown) => typeof part === "string" && !part.includes("\0");
  if (url === undefined) return Array.isArray(command) && command.length > 0 && command.every(isText);
  const isRecord = typeof headers === "object" && headers !== null && Object.values(headers).every(isText);
  return isText(url) && /^https?:/i.test(url as string) && URL.canParse(url as string) && isRecord;
}

/** Is it one source of rows? */
export function isSource(value: unknown): boolean {
  return Array.isArray(value) || typeof value === "string" || typeof value === "function";
}

function isRowsField(value: unknown): boolean {
  if (isSource(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  const splits = value as Partial<Record<string, unknown>>;
  return Object.keys(splits).length === SPLITS.length && SPLITS.every((split) => isSource(splits[split]));
}
