/** Single mutations of a row's right calls, by name; each is made here only, for BFCL's checker and for ours. */
import { expectedCalls, goldCalls, type ToolCallingRow } from "../../../src/tasks/tool-calling/row.ts";
import { OMITTED } from "../../../src/verify/calls/call-match.ts";
import type { Call } from "../../../src/verify/calls/calls.ts";
import { isList, isObject, type Literal } from "../../../src/verify/calls/literal.ts";

/** Undefined where the row has nothing to mutate in this way. */
type Mutation = (calls: readonly Call[], row: ToolCallingRow) => Call[] | undefined;

const first = (change: (call: Call, row: ToolCallingRow) => Call | undefined): Mutation => {
  return ([call, ...rest], row) => {
    const changed = call && change(call, row);
    return changed && [changed, ...rest];
  };
};

/** Changes the first argument (or the last) for which `change` gives a value. */
const argument = (
  change: (value: Literal) => Literal | undefined,
  from: "first" | "last" = "first",
): Mutation =>
  first(({ name, arguments: given }) => {
    const entries = from === "first" ? [...given] : [...given].reverse();
    for (const [key, value] of entries) {
      const changed = change(value);
      if (changed !== undefined) return { name, arguments: new Map(given).set(key, changed) };
    }
    return undefined;
  });

const without = ({ name, arguments: given }: Call, key: string | undefined): Call | undefined => {
  if (key === undefined) return undefined;
  return { name, arguments: new Map([...given].filter(([other]) => other !== key)) };
};

const requiredOf = (row: ToolCallingRow, name: string): readonly string[] => {
  const tool = row.tools.find((it) => it.function.name === name);
  return (tool?.function.parameters?.required ?? []) as string[];
};

const reversed = (value: Literal): Literal => {
  if (isList(value)) return value.map(reversed);
  return isObject(value) ? new Map([...value].reverse().map(([key, item]) => [key, reversed(item)])) : value;
};

const wrong = (value: Literal): Literal => {
  if (typeof value === "bigint") return value + 1n;
  if (typeof value === "number") return value + 0.5;
  if (typeof value === "boolean") return !value;
  if (typeof value === "string") return `${value} zq`;
  if (isList(value)) return value.length > 0 ? value.slice(0, -1) : ["zq"];
  return isObject(value) ? new Map([["zq", "zq"]]) : "zq";
};

const mapItems = (change: (item: Literal) => Literal | undefined) => (value: Literal) => {
  if (!isList(value) || value.length === 0) return undefined;
  const changed = value.map(change);
  return changed.every((item) => item !== undefined) ? (changed as Literal[]) : undefined;
};

const numberAsText = (value: Literal) =>
  typeof value === "bigint" || typeof value === "number" ? String(value) : undefined;
const integerAsFloat = (value: Literal) => (typeof value === "bigint" ? Number(value) : undefined);
const onText = (change: (text: string) => Literal) => (value: Literal) =>
  typeof value === "string" ? change(value) : undefined;
const onDict = (change: (entries: [string, Literal][]) => [string, Literal][]) => (value: Literal) =>
  isObject(value) ? new Map(change([...value])) : undefined;

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  gold: (calls) => [...calls],
  no_call: () => [],
  one_call_more: (calls) => [...calls, calls[0]!],
  one_call_less: (calls) => (calls.length > 1 ? calls.slice(1) : undefined),
  calls_reversed: (calls) => (calls.length > 1 ? [...calls].reverse() : undefined),
  reordered_keys: first(({ name, arguments: given }) => ({
    name,
    arguments: reversed(given) as Call["arguments"],
  })),
  other_function: first(({ name, arguments: given }, row) => {
    const other = row.tools.find((tool) => tool.function.name !== name)?.function.name ?? `${name}_v2`;
    return { name: other, arguments: given };
  }),
  function_in_capitals: first((call) => ({ ...call, name: call.name.toUpperCase() })),
  missing_required: first((call, row) => {
    const required = requiredOf(row, call.name);
    return without(
      call,
      [...call.arguments.keys()].find((key) => required.includes(key)),
    );
  }),
  missing_optional: first((call, row) => {
    const required = requiredOf(row, call.name);
    return without(
      call,
      [...call.arguments.keys()].find((key) => !required.includes(key)),
    );
  }),
  extra_argument: first(({ name, arguments: given }) => ({
    name,
    arguments: new Map(given).set("zq", true),
  })),
  misnamed_argument: first(({ name, arguments: given }) => {
    const [entry, ...rest] = given;
    return entry && { name, arguments: new Map([[`${entry[0]}_zq`, entry[1]], ...rest]) };
  }),
  last_alternative: (calls, row) =>
    calls.map(({ name }, i) => {
      const values = [...expectedCalls(row)[i]!.accepted].flatMap(([key, accepted]): [string, Literal][] => {
        const last = accepted.at(-1)!;
        return last === OMITTED ? [] : [[key, last]];
      });
      return { name, arguments: new Map(values) };
    }),
  wrong_value: argument(wrong),
  wrong_last_value: argument(wrong, "last"),
  null_value: argument(() => null),
  number_as_string: argument(numberAsText),
  integer_as_float: argument(integerAsFloat),
  float_as_integer: argument((value) =>
    typeof value === "number" && Number.isInteger(value) ? BigInt(value) : undefined,
  ),
  number_in_list: argument((value) =>
    typeof value === "bigint" || typeof value === "number" ? [value] : undefined,
  ),
  boolean_as_string: argument((value) => (typeof value === "boolean" ? String(value) : undefined)),
  boolean_as_integer: argument((value) => (typeof value === "boolean" ? BigInt(value) : undefined)),
  string_in_capitals: argument(onText((text) => text.toUpperCase())),
  string_punctuated: argument(onText((text) => `${text.replaceAll(" ", "-")}.`)),
  string_quoted: argument(onText((text) => `"${text}"`)),
  string_empty: argument(onText(() => "")),
  string_in_list: argument(onText((text) => [text])),
  list_reversed: argument((value) => (isList(value) && value.length > 1 ? [...value].reverse() : undefined)),
  list_item_wrong: argument((value) =>
    isList(value) && value.length > 0 ? [wrong(value[0]!), ...value.slice(1)] : undefined,
  ),
  list_empty: argument((value) => (isList(value) && value.length > 0 ? [] : undefined)),
  list_numbers_as_strings: argument(mapItems(numberAsText)),
  list_integers_as_floats: argument(mapItems(integerAsFloat)),
  list_strings_in_capitals: argument(
    mapItems((item) => (typeof item === "string" ? item.toUpperCase() : undefined)),
  ),
  dict_value_wrong: argument(onDict(([entry, ...rest]) => [[entry![0], wrong(entry![1])], ...rest])),
  dict_key_missing: argument(onDict((entries) => entries.slice(1))),
  dict_key_extra: argument(onDict((entries) => [...entries, ["zq", 1n]])),
  dict_strings_in_capitals: argument(
    onDict((entries) =>
      entries.map(([key, value]) => [key, typeof value === "string" ? value.toUpperCase() : value]),
    ),
  ),
};

/** The calls of every kind of mutation; undefined where there is nothing to mutate. */
export function mutationsOf(row: ToolCallingRow): Map<string, Call[] | undefined> {
  const gold = goldCalls(row);
  return new Map(Object.entries(MUTATIONS).map(([kind, mutate]) => [kind, mutate(gold, row)]));
}
