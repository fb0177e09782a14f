/**
 * Function calling for real models, the paper's second task: tools in the chat template, calls read from the answer and
 * compared exactly unless told otherwise. (The shipped miniature's own wording is `function-calling`.)
 */
import { z } from "zod";
import { hashSeed, hashText } from "../../core/rng.ts";
import type { Split, Task, Verdict } from "../../core/task.ts";
import { matchBfcl } from "../../verify/calls/bfcl.ts";
import {
  type CallMatching,
  type CallMismatch,
  LENIENT,
  matchCalls,
  STRICT,
} from "../../verify/calls/call-match.ts";
import { type ParsedCalls, parseCalls } from "../../verify/calls/calls.ts";
import { defineTask } from "../define-task.ts";
import { parseOptions } from "../options.ts";
import { rowsFromSource, Source, type SourceFiles, splitsOf } from "../source.ts";
import { splitByHash } from "../split.ts";
import { rowFromXlam } from "./formats.ts";
import { generateToolCalls, type XlamRow } from "./generate.ts";
import { loadToolCallingRows, ROW_FORMATS, type RowFormat } from "./load.ts";
import { promptWithTools, TOOL_PROMPTS, TOOL_REFLECTION, toolRetry } from "./prompts.ts";
import {
  bfclAnswers,
  bfclFunctions,
  defaultsOf,
  expectedCalls,
  goldAnswer,
  type ToolCallingRow,
} from "./row.ts";

const Rules = z.strictObject({
  order: z.enum(["kept", "any"]).default(STRICT.order),
  numbers: z.enum(["exact", "value", "text"]).default(STRICT.numbers),
  defaults: z.enum(["written", "assumed"]).default(STRICT.defaults),
  alternatives: z.enum(["first", "any"]).default(STRICT.alternatives),
});

export const ToolCallingOptions = z.strictObject({
  source: Source.optional(),
  format: z.enum(ROW_FORMATS).optional().describe("of the files; told from their columns when left out"),
  matching: z
    .union([z.enum(["strict", "lenient", "bfcl"]), Rules])
    .optional()
    .describe("how calls are compared: strict, for BFCL's rows bfcl, when left out"),
  tools: z
    .enum(TOOL_PROMPTS)
    .default("template")
    .describe("who writes the tools: the chat template, or our words"),
  seed: z.int().default(0).describe("seed of the generated rows"),
  train: z.int().min(1).default(4000).describe("generated training rows"),
  validation: z.int().min(1).default(500).describe("generated validation rows"),
  test: z.int().min(1).default(1000).describe("generated test rows"),
});

export type ToolCallingOptions = z.input<typeof ToolCallingOptions>;

/** "bfcl" is BFCL's own comparison, for its rows; on others it is "strict". */
export type ToolMatching = "strict" | "lenient" | "bfcl" | CallMatching;

/** Rows of the user's files, or generated ones. Throws `MulliganError("config")`. */
export function toolCalling(options: ToolCallingOptions = {}): Task<ToolCallingRow> {
  const settings = parseOptions("tool-calling", ToolCallingOptions, options);
  const { source, format, tools: style, matching } = settings;
  const generated = (split: Split) => () =>
    generateToolCalls({
      count: settings[split],
      seed: hashSeed(settings.seed, hashText(split)),
      prefix: `${split}-`,
      exclude: (row) => toolCallingSplit(row) !== split,
    }).map((row, index) => rowFromXlam(new Map(Object.entries(row)), index));
  const question = ({ messages }: ToolCallingRow) => messages.at(-1)!.content;
  const task = defineTask<ToolCallingRow>({
    name: "tool-calling",
    rows: source
      ? rowsFromSource("tool-calling", source, (paths, from) => loadFiles(paths, format, from))
      : { train: generated("train"), validation: generated("validation"), test: generated("test") },
    prompt: ({ messages, tools }) => promptWithTools(messages, tools, style),
    ...(style === "template" && { tools: (row) => row.tools }),
    answer: goldAnswer,
    reflectionPrompt: TOOL_REFLECTION,
    retryPrompt: question,
    plainRetryPrompt: (row) => toolRetry(question(row)),
    verify: (answer, row) => verifyToolCalls(answer, row, matching),
    leaks: (reflection, row) => fault(parseCalls(reflection), row, lenientOf(row)) === undefined,
  });
  return Object.assign(task, splitsOf(source));
}

async function loadFiles(
  paths: readonly string[],
  format: RowFormat | undefined,
  { source, find }: SourceFiles,
): Promise<ToolCallingRow[]> {
  // what lies beside a file of the hub is not here until it is asked for
  const isFileOfHub = /^hf:[^*]+\.\w+$/.test(source);
  const answersTo = async () => (await find(source.replace(/[^/]+$/, "possible_answer/$&")))[0]!;
  const rows: ToolCallingRow[] = [];
  for (const path of paths) {
    const more = await loadToolCallingRows(path, {
      before: rows.length,
      ...(format && { format }),
      ...(isFileOfHub && { answersTo }),
    });
    for (const row of more) rows.push(row);
  }
  return rows;
}

/** Generated rows fall to the splits by their query. */
function toolCallingSplit({ query }: XlamRow): Split {
  return splitByHash(query, { salt: "tool-calling 1", validation: 0.1, test: 0.15 });
}

/** The verdict under `matching`; a failure says whether the lenient reading would pass it. Never throws. */
export function verifyToolCalls(
  text: string,
  row: ToolCallingRow,
  matching: ToolMatching = row.answerFormat === "bfcl" ? "bfcl" : "strict",
): Verdict {
  const parsed = parseCalls(text);
  const found = fault(parsed, row, matching);
  if (found === undefined) return { kind: "solved" };
  const lenient = lenientOf(row);
  if (matching === lenient) return { kind: "failed", ...found };
  return { kind: "failed", ...found, solvedLeniently: fault(parsed, row, lenient) === undefined };
}

/** BFCL's own comparison is the lenient one of its rows. */
function lenientOf({ answerFormat }: ToolCallingRow): ToolMatching {
  return answerFormat === "bfcl" ? "bfcl" : "lenient";
}

function fault(parsed: ParsedCalls, row: ToolCallingRow, matching: ToolMatching): CallMismatch | undefined {
  const expectsNone = row.answers === "[]";
  if (parsed.kind === "invalid" && !expectsNone) {
    return { errorClass: "invalid_json", feedback: `invalid JSON: ${parsed.reason}` };
  }
  if (parsed.kind === "none" && !expectsNone)
    return { errorClass: "no_call", feedback: "no call in the answer" };
  const calls = parsed.kind === "calls" ? parsed.calls : [];
  if (matching === "bfcl" && row.answerFormat === "bfcl") {
    return matchBfcl(calls, bfclAnswers(row), bfclFunctions(row));
  }
  return matchCalls(calls, expectedCalls(row), rulesOf(matching), defaultsOf(row));
}

function rulesOf(matching: ToolMatching): CallMatching {
  if (matching === "strict" || matching === "bfcl") return STRICT;
  return matching === "lenient" ? LENIENT : matching;
}
