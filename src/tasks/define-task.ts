/**
 * A task from three things: rows, a prompt for each, and a check. What is left out takes the paper's wording
 * (arXiv 2505.24726, method.md §2.1). Mistakes in a definition are named where they are made, not deep in a run.
 */
import { MulliganError, nearestName } from "../core/errors.ts";
import type { Message, Problem, Split, Task, ToolDefinition, VerifierAnswer } from "../core/task.ts";
import { DEFAULT_LIMITS } from "../verify/apart/limits.ts";
import { type ExternalVerifier, openVerifier } from "../verify/apart/verifier.ts";
import { type FindRowFiles, type RowFiles, rowFilesIn } from "./row-files.ts";
import { readRows } from "./rows.ts";
import { SPLITS, splitByHash } from "./split.ts";

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

export interface DefinedTask<Row = unknown> extends Task<Row> {
  /** Set when `verify` is not a function: which command or endpoint it calls. */
  external?: ExternalVerifier;
  /** Where relative paths start: the task's own folder once it is loaded from a file, until then the current one. */
  folder: string;
  /** Where paths and data sets of the hub are found. */
  rowFiles: RowFiles;
}

export const PAPER_REFLECTION =
  "You tried solving the problem and got the wrong answer. Reflect on what went wrong and write a short explanation " +
  "that will help you do better next time.";

/** Our control in the paper's style: the same news, no reflection asked for. */
export function paperRetry(question: string): string {
  return `You tried solving the problem and got the wrong answer. Try again.\n\n${question}`;
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

/**
 * Makes a task. A row's id is its `id` field when that is text or a number, else its place in the list. Throws
 * `MulliganError("task")` for a definition that breaks its contract; `problems()` throws `MulliganError("data")` for rows.
 */
export function defineTask<Row>(definition: TaskDefinition<Row>): DefinedTask<Row> {
  checkDefinition(definition);
  const { name = "task", verify, tools, leaks, answer = answerColumn } = definition;
  const prompt = (row: Row) => messagesFrom(name, definition.prompt(row));
  const turn = (
    key: "reflectionPrompt" | "retryPrompt" | "plainRetryPrompt",
    otherwise: (row: Row) => string,
  ) => {
    const given = definition[key];
    if (given === undefined) return otherwise;
    if (typeof given === "string") return () => given;
    return (row: Row) => textFrom(name, key, given(row));
  };
  const question = (row: Row) => prompt(row).at(-1)!.content;
  const task: DefinedTask<Row> = {
    name,
    folder: ".",
    rowFiles: rowFilesIn("."),
    datasets: () => task.rowFiles.found,
    problems: problemsFrom(name, definition.rows, (source) => task.rowFiles.find(source)),
    prompt,
    reflectionPrompt: turn("reflectionPrompt", () => PAPER_REFLECTION),
    retryPrompt: turn("retryPrompt", question),
    plainRetryPrompt: turn("plainRetryPrompt", (row) => paperRetry(question(row))),
    verify:
      typeof verify === "function"
        ? (answer, row) => verify.call(definition, answer, row)
        : (answer, row) => verifyOnce(verify, answer, row, task.folder),
    answer: (row) => answerFrom(name, answer.call(definition, row)),
  };
  if (tools) task.tools = (row) => toolsFrom(name, tools.call(definition, row));
  if (typeof verify !== "function") task.external = verify;
  if (leaks) task.leaks = (reflection, row) => leaks.call(definition, reflection, row);
  return task;
}

/** The name that TRL's and other data sets give the column. */
function answerFrom(name: string, answer: unknown): string | undefined {
  if (answer === undefined || typeof answer === "string") return answer;
  if (typeof answer === "number") return String(answer);
  throw new MulliganError("task", `task ${name}: answer must return text, got ${shown(answer)}`, {
    hint: "the right answer as the model should write it, or undefined where none is known",
  });
}

function answerColumn(row: unknown): string | undefined {
  if (typeof row !== "object" || row === null || !("answer" in row)) return undefined;
  return typeof row.answer === "string" || typeof row.answer === "number" ? String(row.answer) : undefined;
}

/** Outside a run: a verifier for this answer alone, within the default limits. */
async function verifyOnce(source: ExternalVerifier, answer: string, row: unknown, folder: string) {
  const verifier = await openVerifier(source, DEFAULT_LIMITS, folder);
  try {
    return await verifier.verify(answer, row);
  } finally {
    await verifier.close();
  }
}

function checkDefinition(definition: unknown): void {
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

function isSource(value: unknown): boolean {
  return Array.isArray(value) || typeof value === "string" || typeof value === "function";
}

function isRowsField(value: unknown): boolean {
  if (isSource(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  const splits = value as Partial<Record<string, unknown>>;
  return Object.keys(splits).length === SPLITS.length && SPLITS.every((split) => isSource(splits[split]));
}

function messagesFrom(name: string, prompt: unknown): readonly Message[] {
  if (typeof prompt === "string") return [{ role: "user", content: prompt }];
  const isMessage = (value: unknown): value is Message => {
    const { role, content } = (value ?? {}) as Partial<Message>;
    return ["system", "user", "assistant"].includes(role as string) && typeof content === "string";
  };
  if (Array.isArray(prompt) && prompt.every(isMessage) && prompt.at(-1)?.role === "user") return prompt;
  throw new MulliganError("task", `task ${name}: prompt must return text or messages, got ${shown(prompt)}`, {
    hint: 'a message is { role: "system" | "user" | "assistant", content: text }, and the last one is the user\'s',
  });
}

function toolsFrom(name: string, tools: unknown): readonly ToolDefinition[] {
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  const isTool = (value: unknown): value is ToolDefinition => {
    const tool = (value ?? {}) as Partial<ToolDefinition>;
    const {
      name,
      description = "",
      parameters = {},
    } = tool.function ?? ({} as Partial<ToolDefinition["function"]>);
    const isNamed = typeof name === "string" && name.trim() !== "";
    return tool.type === "function" && isNamed && typeof description === "string" && isObject(parameters);
  };
  if (Array.isArray(tools) && tools.every(isTool)) return tools;
  throw new MulliganError("task", `task ${name}: tools must return tool definitions, got ${shown(tools)}`, {
    hint: 'a tool is { type: "function", function: { name, description, parameters } }, parameters a JSON schema',
  });
}

function textFrom(name: string, key: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new MulliganError("task", `task ${name}: ${key} must return text, got ${shown(value)}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? typeof value).slice(0, 80);
}

/** Loads each source once, when it is first asked for. */
function problemsFrom<Row>(
  name: string,
  rows: TaskDefinition<Row>["rows"],
  files: FindRowFiles,
): Task<Row>["problems"] {
  const seen = new Map<string, string>();
  const load = async (source: RowSource<Row>, label: string) => {
    const list = await rowsFrom(name, label === "row" ? "rows" : `rows.${label}`, source, files);
    return list.map((row, index): Problem<Row> => {
      const id = idOf(row) ?? `${label}-${index + 1}`;
      const place = `${label} ${index + 1}`;
      if (seen.has(id)) {
        throw new MulliganError(
          "data",
          `task ${name}: id "${id}" is given twice: ${seen.get(id)} and ${place}`,
          {
            hint: "every row needs an id of its own; rows without one are numbered",
          },
        );
      }
      seen.set(id, place);
      return { id, row };
    });
  };
  const loaded = new Map<string, Promise<readonly Problem<Row>[]>>();
  const once = (source: RowSource<Row>, label: string) => {
    if (!loaded.has(label)) loaded.set(label, load(source, label));
    return loaded.get(label)!;
  };
  return async (split) => {
    if (isSplitRows(rows)) return once(rows[split], split);
    const all = await once(rows, "row");
    const problems = all.filter(({ id }) => splitByHash(id, { salt: "rows 1" }) === split);
    if (problems.length > 0) return problems;
    throw new MulliganError("data", `task ${name}: none of its ${all.length} rows falls to ${split}`, {
      hint: "give more rows, or rows: { train, validation, test }",
    });
  };
}

function isSplitRows<Row>(
  rows: TaskDefinition<Row>["rows"],
): rows is Readonly<Record<Split, RowSource<Row>>> {
  return !isSource(rows);
}

/** `field` is for messages: "rows", or "rows.validation". */
async function rowsFrom<Row>(
  name: string,
  field: string,
  source: RowSource<Row>,
  files: FindRowFiles,
): Promise<readonly Row[]> {
  const rows = typeof source === "string" ? await readFiles(await files(source)) : await called();
  if (!Array.isArray(rows)) {
    throw new MulliganError("task", `task ${name}: ${field} must give a list, got ${typeof rows}`);
  }
  if (rows.length > 0) return rows as readonly Row[];
  const where = typeof source === "string" ? `${source} holds no rows` : `${field} is empty`;
  throw new MulliganError("data", `task ${name}: ${where}`, { hint: "every split needs at least one row" });

  async function called(): Promise<unknown> {
    try {
      return typeof source === "function" ? await source(files) : source;
    } catch (cause) {
      if (cause instanceof MulliganError) throw cause;
      throw new MulliganError("task", `task ${name}: ${field} threw: ${cause}`, { cause });
    }
  }
}

async function readFiles(paths: readonly string[]): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const path of paths) for (const row of await readRows(path)) rows.push(row);
  return rows;
}

function idOf(row: unknown): string | undefined {
  if (typeof row !== "object" || row === null || !("id" in row)) return undefined;
  return typeof row.id === "string" || typeof row.id === "number" ? String(row.id) : undefined;
}
