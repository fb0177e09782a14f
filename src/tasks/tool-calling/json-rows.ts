/** Rows of a file as objects whose numbers are as they are written, where it is JSON. Knows no format of rows. */
import { MulliganError } from "../../core/errors.ts";
import { MAX_TEXT_BYTES, readTextFile } from "../../core/json-file.ts";
import {
  isObject,
  type Literal,
  type LiteralObject,
  parseLiteral,
  readLiteral,
} from "../../verify/calls/literal.ts";
import { readRows } from "../rows.ts";

/**
 * One JSON list, or JSON Lines: the text decides, as some `.json` files hold lines; or CSV or Parquet, by the file's
 * ending. Throws `MulliganError("data")`.
 */
export async function readJsonRows(path: string): Promise<LiteralObject[]> {
  if (/\.(csv|parquet)$/i.test(path)) return listFrom(path, JSON.stringify(await readRows(path)));
  const text = await readTextFile(path, MAX_TEXT_BYTES).catch((cause: unknown) => {
    throw new MulliganError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "give the path of a .json or .jsonl file, relative to the current folder",
      cause,
    });
  });
  const rows = text.trimStart().startsWith("[") ? listFrom(path, text) : linesFrom(path, text);
  if (rows.length > 0) return rows;
  throw new MulliganError("data", `${path}: holds no rows`);
}

function linesFrom(path: string, text: string): LiteralObject[] {
  return text.split("\n").flatMap((line, index): LiteralObject[] => {
    if (line.trim() === "") return [];
    const value = parseLiteral(line);
    if (value !== undefined && isObject(value)) return [value];
    throw new MulliganError("data", `${path}, line ${index + 1}: must be one JSON object, ${faultOf(line)}`, {
      hint: "give JSON Lines, or one JSON list",
    });
  });
}

function listFrom(path: string, text: string): LiteralObject[] {
  const list = parseLiteral(text) as readonly Literal[] | undefined;
  if (list === undefined) throw new MulliganError("data", `${path}: not a JSON list, ${faultOf(text)}`);
  return list.map((row, index) => {
    if (isObject(row)) return row;
    throw new MulliganError("data", `${path}, row ${index + 1}: must be an object`);
  });
}

function faultOf(text: string): string {
  const reading = readLiteral(text, 0, "json");
  return "error" in reading ? `got ${reading.error} at character ${reading.at + 1}` : "got something else";
}
