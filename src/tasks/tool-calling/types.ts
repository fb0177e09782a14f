/** Types of parameters, from how data sets write them (Python's names, BFCL's names) to JSON Schema. */

/** A JSON schema, and whether the type itself says that the argument may be left out. */
export interface ParameterType {
  schema: Record<string, unknown>;
  optional: boolean;
}

const PYTHON: Readonly<Record<string, string | undefined>> = {
  str: "string",
  string: "string",
  int: "integer",
  integer: "integer",
  float: "number",
  number: "number",
  bool: "boolean",
  boolean: "boolean",
  list: "array",
  tuple: "array",
  set: "array",
  array: "array",
  dict: "object",
  object: "object",
};

const MAX_LENGTH = 200;

/**
 * "List[int]", "str, optional", "Optional[Dict[str, float]]", as in xlam-function-calling-60k. What is not known ("Any",
 * "Callable[…]") becomes the empty schema, which allows anything.
 */
export function schemaFromPython(type: string): ParameterType {
  const text = type.slice(0, MAX_LENGTH).trim();
  const [first = "", ...rest] = splitOutside(text, ",");
  const { schema, optional } = schemaOf(first.trim());
  return { schema, optional: optional || rest.some((word) => /^\s*optional\b/i.test(word)) };
}

function schemaOf(text: string): ParameterType {
  const [, name = text, inner] = /^(?:typing\.)?(\w+)\s*\[(.*)\]$/s.exec(text) ?? [];
  const parts = inner === undefined ? [] : splitOutside(inner, ",").map((part) => part.trim());
  if (name === "Optional" && inner !== undefined) return { ...schemaOf(inner.trim()), optional: true };
  const alternatives = name === "Union" ? parts : splitOutside(text, "|").map((part) => part.trim());
  if (alternatives.length > 1) return unionOf(alternatives);
  const key = name.toLowerCase();
  const known = Object.hasOwn(PYTHON, key) ? PYTHON[key] : undefined;
  if (known === undefined) return { schema: {}, optional: false };
  const items = known === "array" && parts.length > 0 ? itemsOf(parts) : undefined;
  return { schema: { type: known, ...(items && { items }) }, optional: false };
}

function unionOf(alternatives: readonly string[]): ParameterType {
  const types = alternatives.filter((one) => one !== "None").map((one) => schemaOf(one).schema);
  const schema = types.length === 1 ? types[0]! : { anyOf: types };
  return { schema, optional: alternatives.includes("None") };
}

/** The one type of all items, or nothing: "Tuple[int, str]" has two. */
function itemsOf(parts: readonly string[]): Record<string, unknown> | undefined {
  const types = new Set(parts.filter((part) => part !== "..."));
  return types.size === 1 ? schemaOf([...types][0]!).schema : undefined;
}

/** Splits at a separator that stands in no brackets. */
function splitOutside(text: string, separator: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if (character === "[") depth++;
    if (character === "]") depth--;
    if (character === separator && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}

const BFCL: Readonly<Record<string, string | undefined>> = {
  string: "string",
  integer: "integer",
  number: "number",
  float: "number",
  boolean: "boolean",
  array: "array",
  list: "array",
  tuple: "array",
  dict: "object",
  object: "object",
  any: undefined,
};

/** A BFCL schema with JSON Schema's types; "any" has none. Returns the name of the first unknown type instead. */
export function schemaFromBfcl(schema: unknown): Record<string, unknown> | string {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return String(schema);
  const { type, properties, items, optional: _, ...rest } = schema as Record<string, unknown>;
  if (typeof type !== "string" || !Object.hasOwn(BFCL, type)) return String(type);
  const inner = items === undefined ? undefined : schemaFromBfcl(items);
  if (typeof inner === "string") return inner;
  const named: [string, Record<string, unknown>][] = [];
  for (const [name, property] of Object.entries((properties ?? {}) as object)) {
    const converted = schemaFromBfcl(property);
    if (typeof converted === "string") return converted;
    named.push([name, converted]);
  }
  return {
    ...(BFCL[type] !== undefined && { type: BFCL[type] }),
    ...(properties !== undefined && { properties: Object.fromEntries(named) }),
    ...(inner && { items: inner }),
    ...rest,
  };
}
