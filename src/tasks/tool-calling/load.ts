/**
 * Reads rows of function calling from a user's file: xlam-function-calling-60k, BFCL, or OpenAI's messages and tools. Every
 * row is checked before a run begins, and a mistake is named with its file and row.
 */
import { basename, dirname, join } from "node:path";
import { MulliganError } from "../../core/errors.ts";
import type { Literal, LiteralObject } from "../../verify/calls/literal.ts";
import { RowError } from "../rows.ts";
import { rowFromBfcl, rowFromOpenAi, rowFromXlam } from "./formats.ts";
import { readJsonRows } from "./json-rows.ts";
import { expectedCalls, type ToolCallingRow } from "./row.ts";
import { plainFrom } from "./row-columns.ts";

export const ROW_FORMATS = ["xlam", "bfcl", "openai"] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

export interface LoadRows {
  /** Default: told from the columns of the first row. */
  format?: RowFormat;
  /** Rows that files before this one held: those without an id are numbered. Default 0. */
  before?: number;
  /** Where BFCL's answers are to a file's rows. Default: in `possible_answer/` beside it. */
  answersTo?: (path: string) => Promise<string>;
}

/** The rows of a file, in order. Throws `MulliganError("data")`. */
export async function loadToolCallingRows(
  path: string,
  { format, before = 0, answersTo = answersBeside }: LoadRows = {},
): Promise<ToolCallingRow[]> {
  const objects = await readJsonRows(path);
  const used = format ?? formatOf(objects[0]!);
  if (used === undefined) {
    throw new MulliganError(
      "data",
      `${path}, row 1: its columns fit no format, got ${columns(objects[0]!)}`,
      {
        hint: "xlam has query, tools, answers; bfcl has question, function; openai has messages, tools",
      },
    );
  }
  const accepted = used === "bfcl" ? await readBfclAnswers(path, answersTo) : undefined;
  return objects.map((object, index) => {
    try {
      return checked(rowFrom(used, object, before + index, accepted));
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      throw new MulliganError("data", `${path}, row ${index + 1}: ${error.message}`, {
        hint: `the row must be in the ${used} format; docs/guide/tool-calling.md shows one`,
      });
    }
  });
}

function rowFrom(
  format: RowFormat,
  object: LiteralObject,
  index: number,
  accepted: ReadonlyMap<string, Literal> | undefined,
): ToolCallingRow {
  if (format === "xlam") return rowFromXlam(object, index);
  return format === "bfcl" ? rowFromBfcl(object, accepted!) : rowFromOpenAi(object, index);
}

/** An answer that no tool allows could never be right. */
function checked(row: ToolCallingRow): ToolCallingRow {
  const names = new Set<string>();
  for (const { function: tool } of row.tools) {
    if (names.has(tool.name)) throw new RowError(`the tool "${tool.name}" is given twice`);
    names.add(tool.name);
  }
  const foreign = expectedCalls(row).find(({ name }) => !names.has(name));
  if (foreign) throw new RowError(`the answer calls "${foreign.name}", which is none of its tools`);
  return row;
}

function formatOf(row: LiteralObject): RowFormat | undefined {
  if (row.has("query") && row.has("tools")) return "xlam";
  if (row.has("question") && row.has("function")) return "bfcl";
  return row.has("messages") && row.has("tools") ? "openai" : undefined;
}

function columns(row: LiteralObject): string {
  return [...row.keys()].join(", ").slice(0, 200) || "none";
}

async function answersBeside(path: string): Promise<string> {
  return join(dirname(path), "possible_answer", basename(path));
}

/** BFCL's answers by row; none are written for rows that no tool answers. */
async function readBfclAnswers(
  path: string,
  answersTo: (path: string) => Promise<string>,
): Promise<Map<string, Literal>> {
  if (basename(path).includes("irrelevance")) return new Map();
  const rows = await readJsonRows(await answersTo(path));
  return new Map(
    rows.map((row) => [String(plainFrom(row.get("id") ?? null)), row.get("ground_truth") ?? null]),
  );
}
