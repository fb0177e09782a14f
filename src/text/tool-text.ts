/**
 * The texts in tool definitions that a task's author or data wrote: names, descriptions, values. The words of JSON Schema
 * itself are not among them, because templates look them up and compare them. Knows nothing of templates.
 */
import type { ToolDefinition } from "../core/task.ts";

/** The definitions with `change` applied to every such text, keys of `properties` included; the same text is the same. */
export function mapToolText(
  tools: readonly ToolDefinition[],
  change: (text: string) => string,
): ToolDefinition[] {
  const mapValue = (value: unknown, key: string, named: boolean): unknown => {
    if (typeof value === "string") return key === "type" && TYPES.has(value) ? value : change(value);
    if (Array.isArray(value)) return value.map((item) => mapValue(item, key, false));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([name, item]) => [
      !named && KEYWORDS.has(name) ? name : change(name),
      mapValue(item, named ? "" : name, !named && NAMED_BY_DATA.has(name)),
    ]);
    return Object.fromEntries(entries);
  };
  // JSON first: a definition may hold undefined, dates and the like
  return mapValue(JSON.parse(JSON.stringify(tools)), "", false) as ToolDefinition[];
}

const NAMED_BY_DATA = new Set(["properties", "patternProperties", "$defs", "definitions"]);

const KEYWORDS = new Set([
  ...["type", "function", "name", "description", "parameters", "strict", "return", "returns", "response"],
  ...[
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "default",
    "examples",
    "format",
    "title",
    "nullable",
  ],
  ...[
    "additionalProperties",
    "patternProperties",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "$ref",
    "$defs",
    "definitions",
  ],
  ...[
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "optional",
  ],
]);

/** JSON Schema's, and those of Python-like schemas such as BFCL's. */
const TYPES = new Set([
  ...["function", "object", "string", "number", "integer", "boolean", "array", "null"],
  ...["dict", "list", "tuple", "float", "int", "str", "bool", "any"],
]);
