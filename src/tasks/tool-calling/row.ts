/**
 * One row of function calling, whatever file it came from: a conversation, the tools on offer, and the calls that answer
 * it. Plain JSON; the answers stay text, in which 1 and 1.0 are still two things.
 */
import type { Message, ToolDefinition } from "../../core/task.ts";
import type { BfclAnswer, BfclFunction, BfclParameter, BfclType } from "../../verify/calls/bfcl.ts";
import type { Accepted, Defaults, ExpectedCall } from "../../verify/calls/call-match.ts";
import { OMITTED } from "../../verify/calls/call-match.ts";
import type { Call } from "../../verify/calls/calls.ts";
import { formatLiteral, isList, isObject, type Literal, parseLiteral } from "../../verify/calls/literal.ts";

export interface ToolCallingRow {
  id: string;
  messages: readonly Message[];
  tools: readonly ToolDefinition[];
  /** JSON: `[{"name", "arguments": {a: value}}]`, or for "bfcl" `[{"f": {"a": [accepted, ...]}}]`; `[]` for no call. */
  answers: string;
  answerFormat: "calls" | "bfcl";
}

const NO_FUNCTION: BfclFunction = { parameters: new Map(), required: [] };

/** The calls that a row expects, for the matcher. */
export function expectedCalls(row: ToolCallingRow): ExpectedCall[] {
  if (row.answerFormat === "calls") {
    return answersOf(row).map((answer) => ({
      name: answer.get("name") as string,
      accepted: mapValues(argumentsOf(answer), (value) => [value]),
    }));
  }
  const functions = bfclFunctions(row);
  return bfclAnswers(row).map(({ name, possible }) => {
    const { parameters, required } = functions.get(name) ?? NO_FUNCTION;
    const accepted = [...possible].map(([argument, values]): [string, Accepted[]] => {
      const optional = values.includes("") && !required.includes(argument);
      const stated = values
        .filter((value) => value !== "")
        .flatMap((value) => spelledOut(value, parameters.get(argument)));
      if (!optional) return [argument, stated.length > 0 ? stated : [""]];
      return [argument, values[0] === "" ? [OMITTED, ...stated] : [...stated, OMITTED]];
    });
    return { name, accepted: new Map(accepted) };
  });
}

/** The calls as the data answers them, to show or to train on. */
export function goldCalls(row: ToolCallingRow): Call[] {
  return expectedCalls(row).map(({ name, accepted }) => {
    const given = [...accepted].flatMap(([argument, values]): [string, Literal][] => {
      const [first] = values;
      return first === undefined || first === OMITTED ? [] : [[argument, first]];
    });
    return { name, arguments: new Map(given) };
  });
}

/** The answers of a BFCL row, as its own checker takes them. */
export function bfclAnswers(row: ToolCallingRow): BfclAnswer[] {
  return answersOf(row).map((answer) => {
    const [name, possible] = [...answer][0]!;
    return { name, possible: possible as ReadonlyMap<string, readonly Literal[]> };
  });
}

const BFCL_TYPES: Readonly<Record<string, BfclType>> = {
  string: "string",
  integer: "integer",
  number: "float",
  boolean: "boolean",
  array: "array",
  object: "dict",
};

/** The tools as BFCL's checker takes them: its own types again, from those of JSON Schema. */
export function bfclFunctions({ tools }: ToolCallingRow): Map<string, BfclFunction> {
  const typeOf = ({ type }: Schema): BfclType =>
    typeof type === "string" && Object.hasOwn(BFCL_TYPES, type) ? BFCL_TYPES[type]! : "any";
  return new Map(
    tools.map(({ function: { name, parameters } }) => {
      const { properties = {}, required = [] } = (parameters ?? {}) as Schema;
      const entries = Object.entries(properties).map(([key, schema]): [string, BfclParameter] => {
        return [key, { type: typeOf(schema), ...(schema.items && { items: typeOf(schema.items) }) }];
      });
      return [name, { parameters: new Map(entries), required }];
    }),
  );
}

/** Default values that the tools' schemas state. */
export function defaultsOf({ tools }: ToolCallingRow): Defaults {
  return new Map(
    tools.map(({ function: { name, parameters } }) => {
      const entries = Object.entries(((parameters ?? {}) as Schema).properties ?? {});
      const stated = entries.filter(([, schema]) => schema.default !== undefined && schema.default !== null);
      return [
        name,
        new Map(stated.map(([key, schema]) => [key, parseLiteral(JSON.stringify(schema.default))!])),
      ];
    }),
  );
}

/** A call as JSON, in the words of most templates. */
export function formatCall({ name, arguments: given }: Call): string {
  return `{"name": ${JSON.stringify(name)}, "arguments": ${formatLiteral(given)}}`;
}

/** A right answer as most templates have it written: a `<tool_call>` block for each call. */
export function goldAnswer(row: ToolCallingRow): string {
  return goldCalls(row)
    .map((call) => `<tool_call>\n${formatCall(call)}\n</tool_call>`)
    .join("\n");
}

/** The part of JSON Schema that is read here. */
export interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  default?: unknown;
}

function answersOf({ answers }: ToolCallingRow): ReadonlyMap<string, Literal>[] {
  return parseLiteral(answers) as unknown as ReadonlyMap<string, Literal>[];
}

function argumentsOf(answer: ReadonlyMap<string, Literal>): ReadonlyMap<string, Literal> {
  return (answer.get("arguments") ?? new Map()) as ReadonlyMap<string, Literal>;
}

function mapValues(map: ReadonlyMap<string, Literal>, change: (value: Literal) => readonly Accepted[]) {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}

/** More combinations than this are not listed; the first of each then stands for all. */
const MAX_COMBINATIONS = 64;

/** BFCL lists accepted values inside a dict too, key by key: every dict that this stands for. */
function spelledOut(value: Literal, type: BfclParameter | undefined): Literal[] {
  if (type?.type === "dict" && isObject(value)) return dictsFrom(value);
  if (type?.items === "dict" && isList(value)) {
    return combinations(value.map((item) => (isObject(item) ? dictsFrom(item) : [item])));
  }
  return [value];
}

function dictsFrom(value: ReadonlyMap<string, Literal>): Literal[] {
  const entries = [...value].map(([key, accepted]): ([string, Literal] | undefined)[] => {
    const values = isList(accepted) ? accepted : [accepted];
    return values.map((one) => (one === "" ? undefined : [key, one]));
  });
  return combinations(entries).map((dict) => new Map(dict.filter((entry) => entry !== undefined)));
}

/** One item of each list, in every way; the first way takes the first of each. */
function combinations<Item>(lists: readonly (readonly Item[])[]): Item[][] {
  const count = lists.reduce((product, list) => product * list.length, 1);
  if (count > MAX_COMBINATIONS) return [lists.map((list) => list[0]!)];
  return lists.reduce<Item[][]>(
    (ways, list) => ways.flatMap((way) => list.map((item) => [...way, item])),
    [[]],
  );
}
