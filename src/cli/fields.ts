/**
 * The settings as a flat list, read from the one schema: dotted path, type, default, choices, description. Flags, help and
 * error messages are made from it, so that none of them can drift. Must not know any setting by name.
 */
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { MulliganConfig } from "../train/config.ts";

export type FieldType = "int" | "number" | "boolean" | "string" | "enum" | "json";

export interface Field {
  /** As in the configuration file, dotted where nested: "eval.testProblems". */
  path: string;
  type: FieldType;
  default: unknown;
  description: string;
  /** The valid values of an "enum". */
  choices: readonly string[];
}

interface JsonSchema {
  type?: string;
  enum?: string[];
  default?: unknown;
  description?: string;
  properties?: Record<string, JsonSchema>;
}

/** Every setting, in the order of the schema. */
export const fields: readonly Field[] = fieldsOf(
  z.toJSONSchema(MulliganConfig, { io: "input" }) as JsonSchema,
);

function fieldsOf(schema: JsonSchema, prefix = ""): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix + name;
    if (property.properties) return fieldsOf(property, `${path}.`);
    return {
      path,
      type: typeOf(property),
      default: property.default,
      description: property.description ?? "",
      choices: property.enum ?? [],
    };
  });
}

function typeOf({ type, enum: choices }: JsonSchema): FieldType {
  if (choices) return "enum";
  if (type === "integer") return "int";
  return type === "number" || type === "boolean" || type === "string" ? type : "json";
}

/**
 * The value that a flag's text stands for. Text that cannot be of the type is returned as it is: the schema then says
 * what was expected. Throws `MulliganError("config")` on broken JSON.
 */
export function valueFromText({ path, type }: Field, text: string): unknown {
  const trimmed = text.trim();
  if (type === "int" || type === "number")
    return trimmed === "" || Number.isNaN(Number(trimmed)) ? text : Number(trimmed);
  if (type === "boolean") return trimmed === "true" ? true : trimmed === "false" ? false : text;
  if (type !== "json") return text;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MulliganError("config", `${path}: must be JSON, got ${text}`, {
      hint: `quote it for the shell: '{"key": 1}'`,
      cause,
    });
  }
}

/** Puts a value at a dotted path of a nested object; changes `target`. */
export function setAtPath(target: Record<string, unknown>, path: string, value: unknown): void {
  const [name, ...rest] = path.split(".") as [string, ...string[]];
  if (rest.length === 0) {
    target[name] = value;
    return;
  }
  const inner = target[name];
  const section = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : {};
  target[name] = section;
  setAtPath(section, rest.join("."), value);
}
