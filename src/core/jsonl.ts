/**
 * JSON Lines: one JSON value a line. A line ends at the byte \n and nowhere else (text may hold U+2028). Files are
 * written whole or grow line by line: a kill leaves at most the last line torn. Knows nothing of what the values mean.
 */
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { unwritable, writeAtomic } from "./atomic-file.ts";
import { openFile, syncFolder, truncate } from "./disk.ts";
import { MulliganError, messageOf } from "./errors.ts";
import { MAX_TEXT_BYTES, parseJson, readBounded } from "./json-file.ts";

export interface JsonLine {
  /** Counted from 1. */
  line: number;
  value: unknown;
}

/** Largest file that is read at once, in bytes: Node reads no larger one. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

export interface ReadJsonlOptions {
  /** A longer line is refused before it is parsed. Default: the longest text there can be. */
  maxLineBytes?: number;
  /**
   * What becomes of a last line that does not end in a newline and is not JSON: a process is writing it just now, or was
   * killed then. Default: refuse. For who only looks: skip.
   */
  tornLine?: "refuse" | "skip";
}

/** Reads every value of a file with its line number; empty lines are skipped. Throws `MulliganError("data")`. */
export async function readJsonl(
  path: string,
  { maxLineBytes = MAX_TEXT_BYTES, tornLine = "refuse" }: ReadJsonlOptions = {},
): Promise<JsonLine[]> {
  const bytes = await readBounded(path, MAX_FILE_BYTES).catch((cause: unknown) => {
    throw new MulliganError("data", `${path}: cannot be read: ${messageOf(cause)}`, {
      hint: "give the path of a JSON Lines file, relative to the current folder",
      cause,
    });
  });
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lines: JsonLine[] = [];
  let start = BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? BYTE_ORDER_MARK.length : 0;
  for (let line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    if (end - start > maxLineBytes) {
      throw new MulliganError(
        "data",
        `${path}, line ${line}: must be at most ${maxLineBytes} bytes long, got ${end - start}`,
        { hint: "one row a line; leave out columns that neither prompt nor verify needs" },
      );
    }
    try {
      const text = decoder.decode(bytes.subarray(start, end));
      if (text.trim() !== "") lines.push({ line, value: parseJson(text) });
    } catch (cause) {
      if (newline === -1 && tornLine === "skip") break;
      const problem = cause instanceof SyntaxError ? "not JSON" : "not UTF-8";
      throw new MulliganError("data", `${path}, line ${line}: ${problem}: ${messageOf(cause)}`, {
        hint: "every line must be one complete JSON value",
        cause,
      });
    }
    start = end + 1;
  }
  return lines;
}

/** Writes values, one a line, under a temporary name and renames. Throws `MulliganError("io")`. */
export async function writeJsonl(path: string, values: Iterable<unknown>): Promise<void> {
  await writeAtomic(path, linesFrom(values));
}

export interface AppendOptions {
  /** Return only when the line would survive a loss of power, too. Default: no; it survives the end of this process. */
  sync?: boolean;
}

/** Adds one line with a single write, so that a reader never sees half of it. Throws `MulliganError("io")`. */
export async function appendJsonl(
  path: string,
  value: unknown,
  { sync = false }: AppendOptions = {},
): Promise<void> {
  const line = lineFrom(value);
  const file = await openFile(path, "a");
  try {
    const isNew = sync && (await file.size()) === 0;
    await file.write(line);
    if (sync) await file.sync();
    if (isNew) await syncFolder(dirname(path));
  } finally {
    await file.close();
  }
}

/** Bytes read at once. */
const BLOCK = 65_536;

/** Cuts off a last line without its newline, so that what is appended next is a line. Throws `MulliganError("io")`. */
export async function cutTornLine(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const { size, end } = await endOfLines(path).catch((cause) => {
    throw unwritable(path, cause);
  });
  if (end < size) await truncate(path, end);
}

/** Where the last whole line ends; looked for from the end: a file may be many gigabytes. */
async function endOfLines(path: string): Promise<{ size: number; end: number }> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const block = Buffer.alloc(BLOCK);
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - BLOCK);
      const { bytesRead } = await file.read(block, 0, end - start, start);
      const newline = block.subarray(0, bytesRead).lastIndexOf(NEWLINE);
      if (newline !== -1) return { size, end: start + newline + 1 };
      end = start;
    }
    return { size, end: 0 };
  } finally {
    await file.close();
  }
}

function* linesFrom(values: Iterable<unknown>): Generator<string> {
  for (const value of values) yield lineFrom(value);
}

function lineFrom(value: unknown): string {
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new MulliganError("data", `a line must be a JSON value, got ${typeof value}`);
  return `${json}\n`;
}
