/**
 * Finds the function calls in what a model wrote, in the forms that open models use. Linear in the length of the text,
 * and silent about whether the calls are right. Nothing is evaluated.
 */
import { isList, isObject, type Literal, type LiteralObject, readLiteral, skipSpace } from "./literal.ts";

export interface Call {
  name: string;
  arguments: LiteralObject;
}

/** `none`: nothing in the text looks like a call. `invalid`: something does and cannot be read. */
export type ParsedCalls =
  | { kind: "calls"; calls: Call[] }
  | { kind: "none" }
  | { kind: "invalid"; reason: string };

/** Longest text that is read, in UTF-16 units; more is an invalid answer. */
const MAX_LENGTH = 65_536;
/** More calls than any honest answer holds. */
const MAX_CALLS = 64;

const OPEN = "<tool_call>";
const CLOSE = "</tool_call>";
const PYTHON_TAG = "<|python_tag|>";
const FENCE = "```";
const NAME = /[A-Za-z_][\w.-]*/y;
const PYTHON_CALL = /^\[?\s*[A-Za-z_][\w.-]*\(\s*(?:\)|[A-Za-z_][\w.-]*\s*=)/;

/**
 * Reads every call of a text. In this order, the first form that occurs: `<tool_call>` blocks (Hermes, Qwen); fenced code
 * blocks; calls alone as in Python, `[f(a=1)]` (BFCL, Llama 3.2); JSON objects or lists in the text (Llama 3, Phi). Prose
 * around them is passed over, and so is all up to `</think>`. Every call counts: there is no choosing the best. Never throws.
 */
export function parseCalls(text: string): ParsedCalls {
  if (text.length > MAX_LENGTH) return { kind: "invalid", reason: `longer than ${MAX_LENGTH} characters` };
  const answer = afterThinking(text).replace(PYTHON_TAG, "");
  if (answer.includes(OPEN)) return callsFrom(toolCallBlocks(answer).map(wholeJson));
  const fenced = fencedBlocks(answer).flatMap(callsIn);
  return callsFrom(fenced.length > 0 ? fenced : callsIn(answer));
}

/** Something that looked like calls: a JSON value, calls already, or what is wrong with it. */
type Found = { value: Literal } | { calls: Call[] } | { error: string };

function callsFrom(found: readonly Found[]): ParsedCalls {
  const calls: Call[] = [];
  for (const item of found) {
    if ("error" in item) return { kind: "invalid", reason: item.error };
    const some = "calls" in item ? item.calls : callsOf(item.value);
    if (typeof some === "string") return { kind: "invalid", reason: some };
    calls.push(...some);
    if (calls.length > MAX_CALLS) return { kind: "invalid", reason: `more than ${MAX_CALLS} calls` };
  }
  return calls.length === 0 ? { kind: "none" } : { kind: "calls", calls };
}

/** A thought is no answer, and one without an end is followed by none. */
function afterThinking(text: string): string {
  const end = text.lastIndexOf("</think>");
  if (end !== -1) return text.slice(end + "</think>".length);
  const start = text.indexOf("<think>");
  return start === -1 ? text : text.slice(0, start);
}

/** What stands in each block; the last one may end with the text. */
function toolCallBlocks(text: string): string[] {
  return text
    .split(OPEN)
    .slice(1)
    .map((rest) => rest.split(CLOSE, 1)[0]!);
}

/** What stands in each fenced block, without the language; the last one may end with the text. */
function fencedBlocks(text: string): string[] {
  const parts = text.split(FENCE);
  return parts.filter((_, i) => i % 2 === 1).map((block) => block.replace(/^[ \t]*[A-Za-z_]*[ \t]*\n/, ""));
}

function wholeJson(block: string): Found {
  const reading = readLiteral(block, 0, "json");
  if ("error" in reading) return { error: `${reading.error} at character ${reading.at + 1} of the call` };
  if (skipSpace(block, reading.end) < block.length) return { error: "text after the JSON of the call" };
  if (isList(reading.value) && reading.value.length === 0) return { error: "an empty list" };
  return reading;
}

/** Python calls if the text is nothing else, else the JSON in it. */
function callsIn(text: string): Found[] {
  const trimmed = text.trim();
  return PYTHON_CALL.test(trimmed) ? [pythonCalls(trimmed)] : jsonIn(trimmed);
}

/** Objects that have a name, and lists of them; other braces are prose unless what they open looks like JSON cut short. */
function jsonIn(text: string): Found[] {
  const found: Found[] = [];
  const opening = /\{(?=\s{0,64}")|\[(?=\s{0,64}\{)/g;
  for (let match = opening.exec(text); match; match = opening.exec(text)) {
    const reading = readLiteral(text, match.index, "json");
    if ("error" in reading) {
      // a list may be prose that holds an object; an object that breaks off makes the answer invalid
      if (match[0] === "{") return [{ error: `${reading.error} at character ${reading.at + 1}` }];
      opening.lastIndex = match.index + 1;
    } else {
      opening.lastIndex = reading.end;
      if (isMeantAsCall(reading.value)) found.push(reading);
    }
  }
  return found;
}

function isMeantAsCall(value: Literal): boolean {
  if (isList(value)) return value.some(isMeantAsCall);
  return isObject(value) && (value.has("name") || isObject(value.get("function") ?? null));
}

/** The calls that a JSON value stands for, or what is wrong with it. */
function callsOf(value: Literal): Call[] | string {
  if (!isList(value)) {
    const call = callOf(value);
    return typeof call === "string" ? call : [call];
  }
  const calls = value.map(callOf);
  return calls.find((call) => typeof call === "string") ?? (calls as Call[]);
}

/** `{name, arguments}`, `{name, parameters}`, or either as OpenAI wraps it: `{type: "function", function: {…}}`. */
function callOf(value: Literal): Call | string {
  if (!isObject(value)) return "a call must be an object";
  const inner = value.get("function");
  const body = inner !== undefined && isObject(inner) ? inner : value;
  const name = body.get("name");
  if (typeof name !== "string" || name === "") return "a call needs a name";
  const [given, other] = ["arguments", "parameters"].filter((key) => body.has(key));
  if (other !== undefined) return 'a call has "arguments" or "parameters", not both';
  const args = given === undefined ? new Map<string, Literal>() : unwrap(body.get(given)!);
  return isObject(args) ? { name, arguments: args } : `"${given}" must be an object`;
}

/** OpenAI writes the arguments as text that holds JSON. */
function unwrap(value: Literal): Literal {
  if (typeof value !== "string") return value;
  const reading = readLiteral(value, 0, "json");
  return "value" in reading && skipSpace(value, reading.end) === value.length ? reading.value : value;
}

/** `f(a=1)` or `[f(a=1), g(b="x")]`: arguments by name, literals as values. */
function pythonCalls(text: string): Found {
  const calls: Call[] = [];
  const bracketed = text[0] === "[";
  let at = skipSpace(text, bracketed ? 1 : 0);
  for (;;) {
    const read = pythonCall(text, at);
    if ("error" in read) return read;
    calls.push(read.call);
    at = skipSpace(text, read.end);
    const more = text[at] === ",";
    if (more) at = skipSpace(text, at + 1);
    const closed = bracketed ? text[at] === "]" : !more && at === text.length;
    if (closed) break;
    if (!more || calls.length > MAX_CALLS) return { error: `"," or "]" expected at character ${at + 1}` };
  }
  if (bracketed && skipSpace(text, at + 1) < text.length) return { error: "text after the calls" };
  return { calls };
}

function pythonCall(text: string, start: number): { call: Call; end: number } | { error: string } {
  const [name, open] = nameAt(text, start);
  if (name === undefined || text[open] !== "(") return { error: `a call expected at character ${start + 1}` };
  const args = new Map<string, Literal>();
  let at = skipSpace(text, open + 1);
  while (text[at] !== ")") {
    const [key, equals] = nameAt(text, at);
    if (key === undefined || text[equals] !== "=") return { error: `name=value expected at ${at + 1}` };
    if (args.has(key)) return { error: `the argument ${key} stands twice` };
    const reading = readLiteral(text, equals + 1, "python");
    if ("error" in reading) return { error: `${reading.error} at character ${reading.at + 1}` };
    args.set(key, reading.value);
    at = skipSpace(text, reading.end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
    else if (text[at] !== ")") return { error: `"," or ")" expected at character ${at + 1}` };
  }
  return { call: { name, arguments: args }, end: at + 1 };
}

/** The name that starts here and where what follows it starts. */
function nameAt(text: string, at: number): [name: string | undefined, end: number] {
  NAME.lastIndex = at;
  const name = NAME.exec(text)?.[0];
  return [name, skipSpace(text, at + (name?.length ?? 0))];
}
