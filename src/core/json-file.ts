/**
 * JSON and text from files that somebody else wrote: bounded in bytes before they are read, and in depth before anybody walks
 * through the value, since what recurses must not run out of stack. Knows nothing of what the values mean.
 */
import { readFile, stat } from "node:fs/promises";

/** Deepest nesting of lists and objects. Schemas of tools, the deepest known, have some 20 levels. */
export const MAX_JSON_DEPTH = 128;
/** Largest file of settings, in bytes; known ones have a few thousand. */
export const MAX_SETTINGS_BYTES = 2 ** 20;
/** Largest file that is read as one text, in bytes: V8 makes no longer string. */
export const MAX_TEXT_BYTES = 2 ** 29 - 24;

/** Throws SyntaxError for what is no JSON, or nested deeper than MAX_JSON_DEPTH. */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text); // first: what follows relies on valid JSON
  if (isTooDeep(text)) throw new SyntaxError(`must be nested at most ${MAX_JSON_DEPTH} levels deep`);
  return value;
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAX_JSON_DEPTH) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}

/** Where the string that begins at a quote ends. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

/** A file's bytes. Throws what `stat` and `readFile` throw, and RangeError for more than `maxBytes` or no file. */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  const found = await stat(path);
  if (!found.isFile() && !found.isDirectory()) throw new RangeError("must be a file"); // a pipe would never end
  if (found.size > maxBytes) throw new RangeError(`must have at most ${maxBytes} bytes, got ${found.size}`);
  return readFile(path);
}

/** A file as text, without a byte order mark. Throws as readBounded does. */
export async function readTextFile(path: string, maxBytes = MAX_SETTINGS_BYTES): Promise<string> {
  return (await readBounded(path, maxBytes)).toString("utf8").replace(/^\uFEFF/, "");
}

/** A file as JSON. Throws as readTextFile and parseJson do. */
export async function readJsonFile(path: string, maxBytes = MAX_SETTINGS_BYTES): Promise<unknown> {
  return parseJson(await readTextFile(path, maxBytes));
}
