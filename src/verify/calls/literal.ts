/**
 * Reads one JSON or Python literal out of text that a model or a data file wrote. Nothing is evaluated: there are no
 * names, operators or calls, only values. Linear in the length of the text; depth and length are bounded.
 */

/**
 * An integer is a bigint and any other number a float, so that 1 and 1.0 stay apart and no digit is lost. An object is
 * a Map, so that no key is special.
 */
export type Literal = null | boolean | bigint | number | string | readonly Literal[] | LiteralObject;
export type LiteralObject = ReadonlyMap<string, Literal>;

export type Dialect = "json" | "python";

/** The value and where it ends, or what is wrong and where. */
export type Reading = { value: Literal; end: number } | { error: string; at: number };

/** Deeper than any honest argument; keeps the recursion off the end of the stack. */
const MAX_DEPTH = 32;
/** Digits of a number: enough for any honest one, and reading a bigint takes more than linear time. */
const MAX_DIGITS = 400;

const SPACE = /[ \t\n\r]*/y;
const JSON_NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const PYTHON_NUMBER = /[+-]?(?:(?:0|[1-9]\d*)(\.\d*)?|(\.\d+))([eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_]\w*/y;
const WORDS: Record<Dialect, ReadonlyMap<string, null | boolean>> = {
  json: new Map([
    ["null", null],
    ["true", true],
    ["false", false],
  ]),
  python: new Map([
    ["None", null],
    ["True", true],
    ["False", false],
  ]),
};
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["b", "\b"],
  ["f", "\f"],
  ["\\", "\\"],
  ["'", "'"],
  ['"', '"'],
  ["\n", ""],
]);

/** The first place at or after `from` that is no space. */
export function skipSpace(text: string, from: number): number {
  if (text.charCodeAt(from) > 0x20) return from;
  SPACE.lastIndex = from;
  SPACE.test(text);
  return SPACE.lastIndex;
}

/** Reads the value that starts at `start`, spaces before it skipped. Never throws. */
export function readLiteral(text: string, start: number, dialect: Dialect): Reading {
  const reader = createReader(text, start, dialect);
  const value = reader.value(0);
  return value === undefined ? reader.failure() : { value, end: reader.position() };
}

/** The whole text as one value, or undefined. */
export function parseLiteral(text: string, dialect: Dialect = "json"): Literal | undefined {
  const reading = readLiteral(text, 0, dialect);
  if ("error" in reading || skipSpace(text, reading.end) < text.length) return undefined;
  return reading.value;
}

/** A reader returns undefined where it fails; what failed first is kept. */
function createReader(text: string, start: number, dialect: Dialect) {
  let at = start;
  let failed: { error: string; at: number } | undefined;
  const fail = (error: string): undefined => {
    failed ??= { error, at };
    return undefined;
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  /** Steps over the character if it comes next, spaces before it skipped. */
  const take = (character: string): boolean => {
    at = skipSpace(text, at);
    if (text[at] !== character) return false;
    at++;
    return true;
  };

  const value = (depth: number): Literal | undefined => {
    if (depth > MAX_DEPTH) return fail(`nested deeper than ${MAX_DEPTH}`);
    if (take("{")) return object(depth);
    if (take("[")) return list(depth, "]");
    const next = text[at];
    if (next === '"' || (next === "'" && dialect === "python")) return string();
    if (next === "(" && dialect === "python") return tuple(depth);
    return number() ?? word();
  };

  const object = (depth: number): LiteralObject | undefined => {
    const entries = new Map<string, Literal>();
    if (take("}")) return entries;
    for (;;) {
      at = skipSpace(text, at);
      const key = string();
      if (key === undefined) return undefined;
      if (!take(":")) return fail('":" expected');
      if (entries.has(key)) return fail(`the key ${JSON.stringify(key.slice(0, 40))} stands twice`);
      const item = value(depth + 1);
      if (item === undefined) return undefined;
      entries.set(key, item);
      if (take("}")) return entries;
      if (!take(",")) return fail('"," or "}" expected');
      if (dialect === "python" && take("}")) return entries;
    }
  };

  const list = (depth: number, close: string): Literal[] | undefined => {
    const items: Literal[] = [];
    if (take(close)) return items;
    for (;;) {
      const item = value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      if (take(close)) return items;
      if (!take(",")) return fail(`"," or "${close}" expected`);
      if (dialect === "python" && take(close)) return items;
    }
  };

  /** "(1, 2)" is a list to us; "(1)" is 1. */
  const tuple = (depth: number): Literal | undefined => {
    at++;
    const open = at;
    const items = list(depth, ")");
    if (items?.length !== 1) return items;
    return /,\s*\)$/.test(text.slice(Math.max(open, at - 64), at)) ? items : items[0];
  };

  const number = (): bigint | number | undefined => {
    const found = match(dialect === "json" ? JSON_NUMBER : PYTHON_NUMBER);
    if (!found) return undefined;
    const [digits, ...floatParts] = found;
    at -= digits.length;
    if (digits.length > MAX_DIGITS) return fail(`a number of more than ${MAX_DIGITS} digits`);
    if (/[\w.]/.test(text[at + digits.length] ?? "")) return fail("a number cannot go on like this");
    const isInteger = floatParts.every((part) => part === undefined);
    const result = isInteger ? BigInt(digits.replace("+", "")) : Number(digits);
    if (result === Infinity || result === -Infinity) return fail("a number too large");
    at += digits.length;
    return result;
  };

  const word = (): null | boolean | undefined => {
    if (failed) return undefined;
    WORD.lastIndex = at;
    const found = WORD.exec(text)?.[0];
    const constant = found === undefined ? undefined : WORDS[dialect].get(found);
    if (constant === undefined) return fail("a value expected");
    at += found!.length;
    return constant;
  };

  const string = (): string | undefined => {
    const quote = text[at];
    if (quote !== '"' && !(quote === "'" && dialect === "python")) return fail("a string expected");
    const open = at;
    const end = endOfString(text, open + 1, quote);
    if (end === undefined) {
      at = text.length;
      return fail("a string without end");
    }
    const read = dialect === "json" ? unquoteJson(text.slice(open, end + 1)) : unquotePython(text, open, end);
    if (read === undefined) {
      at = end;
      return fail("a string with a bad escape or a raw line break");
    }
    at = end + 1;
    return read;
  };

  return { value, position: () => at, failure: () => failed! };
}

const PLAIN: Record<string, RegExp> = { '"': /[^"\\]*/y, "'": /[^'\\]*/y };

/** Where the closing quote stands; an escaped one closes nothing. */
function endOfString(text: string, start: number, quote: string): number | undefined {
  const plain = PLAIN[quote]!;
  for (let at = start; at < text.length; at += 2) {
    plain.lastIndex = at;
    plain.test(text);
    at = plain.lastIndex;
    if (text[at] === quote) return at;
  }
  return undefined;
}

function unquoteJson(token: string): string | undefined {
  try {
    return JSON.parse(token) as string;
  } catch {
    return undefined;
  }
}

function unquotePython(text: string, open: number, end: number): string | undefined {
  let read = "";
  for (let i = open + 1; i < end; i++) {
    const character = text[i]!;
    if (character === "\n") return undefined;
    if (character !== "\\") {
      read += character;
      continue;
    }
    const kind = text[++i]!;
    const digits = { x: 2, u: 4, U: 8 }[kind];
    if (digits === undefined) {
      read += ESCAPES.get(kind) ?? `\\${kind}`; // Python keeps the backslash of an unknown escape
      continue;
    }
    const code = text.slice(i + 1, i + 1 + digits);
    if (code.length < digits || !/^[\da-f]+$/i.test(code) || Number.parseInt(code, 16) > 0x10ffff) {
      return undefined;
    }
    read += String.fromCodePoint(Number.parseInt(code, 16));
    i += digits;
  }
  return read;
}

/** The value as JSON with its keys in order, or sorted: equal values then have equal text. A float keeps its point. */
export function formatLiteral(value: Literal, { sorted = false } = {}): string {
  if (typeof value === "number") {
    const text = String(value);
    return /^-?\d+$/.test(text) ? `${Object.is(value, -0) ? "-0" : text}.0` : text;
  }
  if (typeof value === "bigint") return String(value);
  if (isList(value)) return `[${value.map((item) => formatLiteral(item, { sorted })).join(", ")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries = [...value].map(([key, item]) => [JSON.stringify(key), formatLiteral(item, { sorted })]);
  if (sorted) entries.sort(([a], [b]) => (a! < b! ? -1 : 1));
  return `{${entries.map((entry) => entry.join(": ")).join(", ")}}`;
}

export function isList(value: Literal): value is readonly Literal[] {
  return Array.isArray(value);
}

export function isObject(value: Literal): value is LiteralObject {
  return value instanceof Map;
}

export function isNumber(value: Literal): value is bigint | number {
  return typeof value === "bigint" || typeof value === "number";
}

/** Is 1n the same number as 1? Comparing a bigint with a float loses no digit. */
export function sameNumber(a: bigint | number, b: bigint | number): boolean {
  return !(a < b) && !(a > b);
}
