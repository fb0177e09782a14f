/** Takes the columns of a row apart, naming what is not as it should be. */
import {
  isList,
  isObject,
  type Literal,
  type LiteralObject,
  parseLiteral,
} from "../../verify/calls/literal.ts";
import { RowError } from "../rows.ts";

/** As JSON.parse would have it: objects for Maps, numbers for bigints. */
export function plainFrom(value: Literal): unknown {
  if (isList(value)) return value.map(plainFrom);
  if (isObject(value)) return Object.fromEntries([...value].map(([key, item]) => [key, plainFrom(item)]));
  return typeof value === "bigint" ? Number(value) : value;
}

export function textOf(row: LiteralObject, column: string): string {
  const value = row.get(column);
  if (typeof value === "string" && value.trim() !== "") return value;
  throw new RowError(`${column} must be text, got ${shown(value)}`);
}

/** A list, written as such or as text that holds its JSON. */
export function listOf(row: LiteralObject, column: string): readonly Literal[] {
  const given = row.get(column);
  const value = typeof given === "string" ? parseLiteral(given) : given;
  if (value !== undefined && isList(value)) return value;
  throw new RowError(`${column} must be a list, or text that holds its JSON, got ${shown(given)}`);
}

export function objectOf(value: Literal | undefined, what: string): LiteralObject {
  if (value !== undefined && isObject(value)) return value;
  throw new RowError(`${what} must be an object, got ${shown(value)}`);
}

function shown(value: Literal | undefined): string {
  return value === undefined ? "nothing" : (JSON.stringify(plainFrom(value)) ?? "nothing").slice(0, 80);
}
