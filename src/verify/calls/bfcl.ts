/**
 * The Berkeley Function Calling Leaderboard's own comparison of calls, so that its rows get the verdicts that it gives: a
 * port of `ast_checker.py` (ShishirPatil/gorilla 6ea5797, Apache-2.0) for Python, quirks included. Marked where it differs.
 */
import type { CallError, CallMismatch } from "./call-match.ts";
import type { Call } from "./calls.ts";
import { formatLiteral, isList, isNumber, isObject, type Literal, sameNumber } from "./literal.ts";

/** BFCL's names of types; `items` is the type inside an array or tuple. */
export interface BfclParameter {
  type: BfclType;
  items?: BfclType;
}

const PYTHON_TYPES = {
  string: "str",
  integer: "int",
  float: "float",
  boolean: "bool",
  array: "list",
  tuple: "list",
  dict: "dict",
  any: "str",
} as const;
export type BfclType = keyof typeof PYTHON_TYPES;
type PythonType = (typeof PYTHON_TYPES)[BfclType] | "NoneType";

export interface BfclFunction {
  parameters: ReadonlyMap<string, BfclParameter>;
  required: readonly string[];
}

/** One call of a `possible_answer` file: accepted values by argument, "" among them where it may be left out. */
export interface BfclAnswer {
  name: string;
  possible: ReadonlyMap<string, readonly Literal[]>;
}

/** What is wrong with the calls, or undefined where BFCL passes them: as many, each matched once, in any order. */
export function matchBfcl(
  calls: readonly Call[],
  answers: readonly BfclAnswer[],
  functions: ReadonlyMap<string, BfclFunction>,
): CallMismatch | undefined {
  if (calls.length !== answers.length) {
    return mismatch("wrong_count", `${calls.length} calls, not ${answers.length}`);
  }
  const taken = new Set<Call>();
  for (const answer of answers) {
    const definition = functions.get(answer.name) ?? { parameters: new Map(), required: [] };
    const free = calls.filter((call) => !taken.has(call));
    const found = free.map((call) => compareCall(call, answer, definition));
    const match = found.indexOf(undefined);
    if (match === -1) return found.find((it) => it?.errorClass !== "wrong_function") ?? found[0];
    taken.add(free[match]!);
  }
  return undefined;
}

function compareCall(
  { name, arguments: given }: Call,
  { name: wanted, possible }: BfclAnswer,
  { parameters, required }: BfclFunction,
): CallMismatch | undefined {
  if (name !== wanted) return mismatch("wrong_function", `${name}, not ${wanted}`);
  const unexpected = [...given.keys()].find((key) => !parameters.has(key) || !possible.has(key));
  const optional = [...possible].filter(([, values]) => values.includes("")).map(([key]) => key);
  const missing = [...required, ...[...possible.keys()].filter((key) => !optional.includes(key))].find(
    (key) => !given.has(key),
  );
  if (missing !== undefined && unexpected !== undefined) {
    return mismatch("misnamed_argument", `${unexpected} in place of ${missing}`);
  }
  if (missing !== undefined) return mismatch("missing_argument", missing);
  if (unexpected !== undefined) return mismatch("extra_argument", unexpected);
  for (const [key, value] of given) {
    const values = possible.get(key)!;
    if (accepts(value, values, parameters.get(key)!)) continue;
    const wantedText = values.map((one) => formatLiteral(one)).join(" or ");
    return mismatch("wrong_value", `${key} is ${formatLiteral(value).slice(0, 80)}, not ${wantedText}`);
  }
  return undefined;
}

function accepts(given: Literal, possible: readonly Literal[], { type, items }: BfclParameter): boolean {
  const expected = PYTHON_TYPES[type];
  const inner = (type === "array" || type === "tuple") && items ? PYTHON_TYPES[items] : undefined;
  const value = type === "float" && typeof given === "bigint" ? Number(given) : given;
  const first = possible.find((one) => one !== "");
  const answerType = first === undefined ? undefined : typeOf(first);
  if (typeOf(value) !== expected) {
    // a "variable": a value of the answer's type where the definition asks for another
    return typeOf(value) === answerType && possible.some((one) => equals(value, one));
  }
  if (inner && isList(value) && !possible.some((one) => !isList(one) || innerTypesFit(value, one, inner))) {
    return false;
  }
  const isVariable = answerType !== undefined && answerType !== expected;
  if (!isVariable) {
    if (isObject(value)) return possible.some((one) => one !== "" && dictFits(value, one));
    if (isList(value) && inner === "dict") return possible.some((one) => dictListFits(value, one));
    if (isList(value)) return possible.some((one) => equals(value.map(standardize), itemsOf(one)));
    if (typeof value === "string") return possible.some((one) => standardize(one) === standardize(value));
  }
  return possible.some((one) => equals(value, one));
}

/** Each item has the type inside the list, or that of the answer's first item. */
function innerTypesFit(value: readonly Literal[], answer: readonly Literal[], inner: PythonType): boolean {
  const first = answer.find((item) => item !== "");
  return value.every(
    (item) => typeOf(item) === inner || (first !== undefined && typeOf(item) === typeOf(first)),
  );
}

/** The answer of a dict has a list of accepted values for each key. */
function dictFits(value: Literal, answer: Literal): boolean {
  if (!isObject(value) || !isObject(answer)) return false; // differs from BFCL, whose checker raises
  const fits = [...value].every(([key, item]) => {
    const accepted = answer.get(key);
    return accepted !== undefined && itemsOf(accepted).some((one) => equals(standardize(item), one));
  });
  const isOptional = (accepted: Literal) => !isList(accepted) || accepted.includes("");
  return fits && [...answer].every(([key, accepted]) => value.has(key) || isOptional(accepted));
}

function dictListFits(value: readonly Literal[], answer: Literal): boolean {
  if (!isList(answer)) return answer === "" && value.length === 0;
  return value.length === answer.length && value.every((item, i) => dictFits(item, answer[i]!));
}

/** A list's items standardized; text counts as its characters. */
function itemsOf(value: Literal): Literal[] {
  if (isList(value)) return value.map(standardize);
  return typeof value === "string" ? [...value].map(standardize) : [];
}

/** Text without case, spaces and most punctuation; anything else as it is. */
function standardize(value: Literal): Literal {
  if (typeof value !== "string") return value;
  return value
    .replaceAll(/[ ,./\-_*^]/g, "")
    .toLowerCase()
    .replaceAll("'", '"');
}

/** Python's `==`, where True is 1 and 1 is 1.0. */
function equals(a: Literal, b: Literal): boolean {
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, i) => equals(item, b[i]!));
  if (isObject(a) && isObject(b)) {
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && equals(item, b.get(key)!));
  }
  const numberFrom = (value: Literal) => (typeof value === "boolean" ? BigInt(value) : value);
  const [x, y] = [numberFrom(a), numberFrom(b)];
  return isNumber(x) && isNumber(y) ? sameNumber(x, y) : x === y;
}

function typeOf(value: Literal): PythonType {
  if (value === null) return "NoneType";
  if (isList(value)) return "list";
  if (isObject(value)) return "dict";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  return typeof value === "number" ? "float" : "str";
}

function mismatch(errorClass: CallError, detail: string): CallMismatch {
  return { errorClass, feedback: `${errorClass.replaceAll("_", " ")}: ${detail.slice(0, 200)}` };
}
