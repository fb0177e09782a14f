/**
 * Compares calls with the expected ones: same functions, same argument names, same values, whatever the order of the
 * arguments. What else may differ is an explicit rule; the default is exact. Knows nothing of text or of prompts.
 */
import { nearestName } from "../../core/errors.ts";
import type { Call } from "./calls.ts";
import { formatLiteral, isList, isNumber, isObject, type Literal, sameNumber } from "./literal.ts";

/** Stands among accepted values where the argument may be left out. */
export const OMITTED = Symbol("omitted");
export type Accepted = Literal | typeof OMITTED;

export interface ExpectedCall {
  name: string;
  /** Accepted values by argument, at least one each; the first is the answer of the data. */
  accepted: ReadonlyMap<string, readonly Accepted[]>;
}

export interface CallMatching {
  /** "kept": parallel calls in the order of the data. "any": in any order, each matched once. */
  order: "kept" | "any";
  /** "exact": 1, 1.0 and "1" differ. "value": 1 is 1.0. "text": 1 is also "1". */
  numbers: "exact" | "value" | "text";
  /** "written": an argument is there or is not. "assumed": one left out has its default, on either side. */
  defaults: "written" | "assumed";
  /** "first": only the data's first answer. "any": any value that the data accepts. */
  alternatives: "first" | "any";
}

/** The paper's setting: an exact match with the answer of the data (arXiv 2505.24726 §4). */
export const STRICT: CallMatching = {
  order: "kept",
  numbers: "exact",
  defaults: "written",
  alternatives: "first",
};

export const LENIENT: CallMatching = {
  order: "any",
  numbers: "text",
  defaults: "assumed",
  alternatives: "any",
};

/** Default values by function and argument. */
export type Defaults = ReadonlyMap<string, ReadonlyMap<string, Literal>>;

/** What can be wrong with an answer that should be calls; reports count by it. */
const CALL_ERRORS = [
  "no_call",
  "invalid_json",
  "wrong_count",
  "wrong_function",
  "missing_argument",
  "extra_argument",
  "misnamed_argument",
  "wrong_value",
] as const;
export type CallError = (typeof CALL_ERRORS)[number];

export interface CallMismatch {
  errorClass: CallError;
  feedback: string;
}

/** What is wrong with the calls first, or undefined when they match. Never throws. */
export function matchCalls(
  calls: readonly Call[],
  expected: readonly ExpectedCall[],
  matching: CallMatching = STRICT,
  defaults: Defaults = new Map(),
): CallMismatch | undefined {
  if (calls.length !== expected.length) {
    return mismatch("wrong_count", `${calls.length} calls, not ${expected.length}`);
  }
  const compare = (call: Call, wanted: ExpectedCall) => compareCall(call, wanted, matching, defaults);
  if (matching.order === "kept") {
    return calls.map((call, i) => compare(call, expected[i]!)).find((found) => found !== undefined);
  }
  const table = expected.map((wanted) => calls.map((call) => compare(call, wanted)));
  const callOf = pairUp(table.map((row) => row.map((found) => found === undefined)));
  const unmatched = callOf.indexOf(undefined);
  if (unmatched === -1) return undefined;
  const free = table[unmatched]!.filter((_, call) => !callOf.includes(call));
  return free.find((found) => found?.errorClass !== "wrong_function") ?? free[0];
}

/** The mismatch of one call, or undefined. */
function compareCall(
  call: Call,
  wanted: ExpectedCall,
  { numbers, defaults: rule, alternatives }: CallMatching,
  defaults: Defaults,
): CallMismatch | undefined {
  if (call.name !== wanted.name) return mismatch("wrong_function", `${call.name}, not ${wanted.name}`);
  const assumed = rule === "assumed" ? defaults.get(wanted.name) : undefined;
  /** What may stand for an argument; OMITTED only, where the data does not ask for it. */
  const acceptedFor = (name: string): readonly Accepted[] => {
    const all = wanted.accepted.get(name) ?? [OMITTED];
    const accepted = alternatives === "first" ? all.slice(0, 1) : all;
    const standard = assumed?.get(name);
    if (standard === undefined) return accepted;
    if (accepted.includes(OMITTED)) return [...accepted, standard];
    return fits(standard, accepted) ? [...accepted, OMITTED] : accepted;
  };
  const fits = (value: Literal, accepted: readonly Accepted[]) =>
    accepted.some((one) => one !== OMITTED && sameValue(value, one, numbers));

  const names = [...new Set([...wanted.accepted.keys(), ...call.arguments.keys()])];
  const missing: string[] = [];
  const extra: string[] = [];
  let wrong: CallMismatch | undefined;
  for (const name of names) {
    const accepted = acceptedFor(name);
    const value = call.arguments.get(name);
    if (value === undefined) {
      if (!accepted.includes(OMITTED)) missing.push(name);
    } else if (!fits(value, accepted)) {
      if (accepted.every((one) => one === OMITTED)) extra.push(name);
      else wrong ??= mismatch("wrong_value", `${name} is ${shown(value)}, not ${shownAll(accepted)}`);
    }
  }
  const misnamed = missing.find((name) =>
    extra.some((other) => {
      return fits(call.arguments.get(other)!, acceptedFor(name)) || nearestName(other, [name]) === name;
    }),
  );
  if (misnamed !== undefined) {
    return mismatch("misnamed_argument", `${extra.join(", ")} in place of ${misnamed}`);
  }
  if (missing.length > 0) return mismatch("missing_argument", missing.join(", "));
  if (extra.length > 0) return mismatch("extra_argument", extra.join(", "));
  return wrong;
}

/** Same value, objects by key in any order, lists item by item. Symmetric. */
export function sameValue(a: Literal, b: Literal, numbers: CallMatching["numbers"]): boolean {
  if (isList(a) && isList(b)) {
    return a.length === b.length && a.every((item, i) => sameValue(item, b[i]!, numbers));
  }
  if (isObject(a) && isObject(b)) {
    if (a.size !== b.size) return false;
    return [...a].every(([key, item]) => b.has(key) && sameValue(item, b.get(key)!, numbers));
  }
  if (a === b || numbers === "exact") return a === b;
  if (isNumber(a) && isNumber(b)) return sameNumber(a, b);
  if (numbers === "value") return false;
  if (isNumber(a) && typeof b === "string") return isNumeral(b) && sameAsText(a, b);
  return typeof a === "string" && isNumber(b) && isNumeral(a) && sameAsText(b, a);
}

const isNumeral = (text: string) => text.length <= 64 && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text.trim());

function sameAsText(value: Literal, text: string): boolean {
  const trimmed = text.trim();
  if (typeof value === "bigint" && /^-?\d+$/.test(trimmed)) return value === BigInt(trimmed);
  return Number(value) === Number(trimmed);
}

/**
 * The column of each row in a largest pairing along `possible`, each column used once (Kuhn's algorithm): so that no order
 * of the calls decides. Undefined for a row that is left over.
 */
function pairUp(possible: readonly (readonly boolean[])[]): (number | undefined)[] {
  const rowOf = new Map<number, number>();
  const place = (row: number, tried: Set<number>): boolean =>
    possible[row]!.some((isPossible, column) => {
      if (!isPossible || tried.has(column)) return false;
      tried.add(column);
      const holder = rowOf.get(column);
      if (holder !== undefined && !place(holder, tried)) return false;
      rowOf.set(column, row);
      return true;
    });
  for (let row = 0; row < possible.length; row++) place(row, new Set());
  const columnOf = new Map([...rowOf].map(([column, row]) => [row, column]));
  return possible.map((_, row) => columnOf.get(row));
}

function mismatch(errorClass: CallError, detail: string): CallMismatch {
  return { errorClass, feedback: `${errorClass.replaceAll("_", " ")}: ${detail.slice(0, 200)}` };
}

function shown(value: Literal): string {
  return formatLiteral(value).slice(0, 80);
}

function shownAll(accepted: readonly Accepted[]): string {
  return accepted.flatMap((one) => (one === OMITTED ? [] : shown(one))).join(" or ");
}
