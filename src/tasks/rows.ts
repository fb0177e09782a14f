/**
 * Rows from a file: JSON Lines, a JSON array, CSV or Parquet, by the file's ending. Every row comes out as a plain object
 * with all of its columns, whatever the file; a row that cannot be read is named by file and line.
 */
import { extname } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import { MulliganError, messageOf } from "../core/errors.ts";
import { MAX_TEXT_BYTES, parseJson, readBounded } from "../core/json-file.ts";
import { readJsonl } from "../core/jsonl.ts";
import { decodeParquet } from "./parquet.ts";

/** A row that lacks what its task needs; whoever knows the file and the place turns it into a message for the user. */
export class RowError extends Error {}

/** One row by its column names. */
export type FileRow = Record<string, unknown>;

/** Longest row of a text file. More is a file that is not what it should be, or not one row a line. */
const MAX_ROW_BYTES = 1_048_576;

/** Of a table; known data sets have some dozens. */
const MAX_COLUMNS = 10_000;

/** Largest file of Parquet: Node reads no larger one at once. */
const MAX_PARQUET_BYTES = 2 ** 31 - 1;

const READERS: Readonly<Record<string, (path: string) => Promise<FileRow[]>>> = {
  ".jsonl": readJsonLines,
  ".ndjson": readJsonLines,
  ".json": readJsonArray,
  ".csv": readCsv,
  ".parquet": readParquet,
};

/** Of files that can be read. */
export const ROW_ENDINGS: readonly string[] = Object.keys(READERS);

/**
 * Reads all rows of a file. Values of CSV are text; whole numbers of Parquet that a double cannot hold, and its dates,
 * are text too. Throws `MulliganError("data")`.
 */
export async function readRows(path: string): Promise<FileRow[]> {
  const read = READERS[extname(path).toLowerCase()];
  if (read) return read(path);
  throw new MulliganError("data", `rows: must be a ${ROW_ENDINGS.join(", ")} file, got "${path}"`, {
    hint: "the file's ending says how it is read",
  });
}

async function readJsonLines(path: string): Promise<FileRow[]> {
  const lines = await readJsonl(path, { maxLineBytes: MAX_ROW_BYTES });
  return lines.map(({ line, value }) => requireRow(value, `${path}, line ${line}`));
}

async function readJsonArray(path: string): Promise<FileRow[]> {
  const text = (await readBytes(path)).toString("utf8").replace(/^\uFEFF/, "");
  let values: unknown;
  try {
    values = parseJson(text);
  } catch (cause) {
    // published data sets name JSON Lines .json, too
    if (text.trimStart().startsWith("{")) return readJsonLines(path);
    throw unreadable(
      path,
      "not JSON",
      cause,
      "a .json file holds one array of rows; one row a line is .jsonl",
    );
  }
  if (!Array.isArray(values)) {
    throw new MulliganError("data", `${path}: must hold an array of rows, got ${kindOf(values)}`, {
      hint: 'write [{"question": …}, …], or one row a line in a .jsonl file',
    });
  }
  return values.map((value, index) => requireRow(value, `${path}, row ${index + 1}`));
}

/** RFC 4180 with a header; the separator is the comma. */
async function readCsv(path: string): Promise<FileRow[]> {
  const bytes = await readBytes(path);
  try {
    return parse(bytes, {
      bom: true,
      columns: uniqueColumns,
      skip_empty_lines: true,
      max_record_size: MAX_ROW_BYTES,
    });
  } catch (cause) {
    const { lines } = cause instanceof CsvError ? (cause as { lines?: number }) : {};
    const place = lines === undefined ? path : `${path}, line ${lines}`;
    throw unreadable(
      place,
      "not CSV",
      cause,
      'the first line names the columns; quote text that holds , or "',
    );
  }

  function uniqueColumns(names: readonly string[]): string[] {
    if (names.length > MAX_COLUMNS) {
      throw new RangeError(`the header must name at most ${MAX_COLUMNS} columns, got ${names.length}`);
    }
    const seen = new Set<string>();
    for (const name of names) {
      if (seen.has(name)) throw new RangeError(`the column "${name}" stands in the header twice`);
      seen.add(name);
    }
    return [...names];
  }
}

async function readParquet(path: string): Promise<FileRow[]> {
  const bytes = await readBytes(path, MAX_PARQUET_BYTES);
  try {
    const rows = await decodeParquet(bytes);
    return rows.map((row) => plain(row) as FileRow);
  } catch (cause) {
    throw unreadable(
      path,
      "not Parquet",
      cause,
      "download the file again: it is damaged or of another format",
    );
  }
}

/** As JSON would have it, so that a verifier sees the same row whatever file it came from. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as ArrayLike<unknown>, plain);
  if (typeof value !== "object" || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function requireRow(value: unknown, place: string): FileRow {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as FileRow;
  throw new MulliganError("data", `${place}: a row must be an object of columns, got ${kindOf(value)}`, {
    hint: 'write {"question": …, "answer": …}',
  });
}

async function readBytes(path: string, maxBytes = MAX_TEXT_BYTES): Promise<Buffer> {
  return readBounded(path, maxBytes).catch((cause: unknown) => {
    throw unreadable(path, "cannot be read", cause, "paths are relative to the task's file");
  });
}

function unreadable(place: string, problem: string, cause: unknown, hint: string): MulliganError {
  return new MulliganError("data", `${place}: ${problem}: ${messageOf(cause)}`, { hint, cause });
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value;
}
