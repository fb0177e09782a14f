/**
 * A miniature of function calling with the columns of Salesforce/xlam-function-calling-60k: random tools with random
 * slots and one request each. Names mean nothing, so the signature is all there is to go by.
 */
import { MulliganError } from "../../core/errors.ts";
import { createRng, type Rng } from "../../core/rng.ts";
import type { Split } from "../../core/task.ts";
import { splitByHash } from "../split.ts";

export interface FunctionCallingRow {
  id: string;
  query: string;
  /** JSON: `ToolSpec[]`. */
  tools: string;
  /** JSON: `ToolCall[]`; here always one. */
  answers: string;
}

export interface ToolSpec {
  name: string;
  description: string;
  parameters: Record<string, { description: string; type: string }>;
}

export interface ToolCall {
  name: string;
  arguments: Record<string, unknown>;
}

export interface GenerateFunctionCalls {
  count: number;
  seed: number;
  exclude?: (row: FunctionCallingRow) => boolean;
}

interface Tool {
  name: string;
  slots: string[];
}

const CONSONANTS = [..."bdfgklmnprstvz"];
const VOWELS = [..."aeiou"];
export const WORDS: readonly string[] =
  "red blue green gold cat dog fish bird sun moon star rain tree leaf salt milk rome oslo cairo lima".split(
    " ",
  );

/** Test and validation rows call tools whose names training never asks for. */
export function functionCallingSplit(row: FunctionCallingRow): Split {
  const [call] = JSON.parse(row.answers) as ToolCall[];
  return splitByHash(call!.name, { salt: "function-calling 1", validation: 0.1, test: 0.15 });
}

/** Rows with different queries or tools. Row i of a seed does not depend on the count. */
export function generateFunctionCalls({ count, seed, exclude }: GenerateFunctionCalls): FunctionCallingRow[] {
  const source = createRng(seed).fork("function-calling");
  const rows = new Map<string, FunctionCallingRow>();
  const lastDraw = 100 * count + 10_000;
  for (let draw = 0; rows.size < count; draw++) {
    if (draw === lastDraw) {
      throw new MulliganError(
        "config",
        `function-calling: ${count} rows: only ${rows.size} are not excluded`,
      );
    }
    const row = drawFunctionCall(source.fork(draw));
    if (!exclude?.(row)) rows.set(row.id, row);
  }
  return [...rows.values()];
}

/** One row from a stream of random numbers. */
function drawFunctionCall(rng: Rng): FunctionCallingRow {
  const tools = drawTools(rng);
  const tool = rng.choice(tools);
  const values = new Map(tool.slots.map((slot) => [slot, drawValue(rng)]));
  const query = drawQuery(rng, tool, tools, values);
  return {
    id: `${tools.map(signature).join(" ")} ${query}`,
    query,
    tools: JSON.stringify(tools.map(specFrom)),
    answers: JSON.stringify([{ name: tool.name, arguments: Object.fromEntries(values) }]),
  };
}

/** Two to four tools; no name and no slot occurs twice, so that slots alone can tell which tool is meant. */
function drawTools(rng: Rng): Tool[] {
  const taken = new Set<string>();
  const fresh = (draw: () => string): string => {
    for (;;) {
      const name = draw();
      if (taken.has(name)) continue;
      taken.add(name);
      return name;
    }
  };
  const syllable = () => rng.choice(CONSONANTS) + rng.choice(VOWELS);
  return Array.from({ length: rng.int(2, 4) }, () => ({
    name: fresh(() => syllable() + syllable()),
    slots: Array.from({ length: rng.int(1, 3) }, () => fresh(() => syllable() + rng.choice(CONSONANTS))),
  }));
}

function drawValue(rng: Rng): string | number {
  return rng.next() < 0.5 ? rng.int(0, 99) : rng.choice(WORDS);
}

/** The request, in one of several forms; some name another tool or a slot that the meant tool lacks. */
function drawQuery(
  rng: Rng,
  tool: Tool,
  tools: readonly Tool[],
  values: Map<string, string | number>,
): string {
  const pairs = rng.shuffle([...values]).map(([slot, value]) => `${slot} ${value}`);
  const list = pairs.join(" and ");
  const other = rng.choice(tools.filter(({ name }) => name !== tool.name));
  const stray = `${rng.choice(other.slots)} ${drawValue(rng)}`;
  return rng.choice([
    () => `set ${tool.name} with ${list}`,
    () => `${list} for ${tool.name}`,
    () => `not ${other.name} but ${tool.name} with ${list}`,
    () => `set ${tool.name} with ${rng.shuffle([...pairs, stray]).join(" and ")}`,
    () => `call with ${list}`,
  ])();
}

function signature({ name, slots }: Tool): string {
  return `${name}(${slots.join(",")})`;
}

function specFrom({ name, slots }: Tool): ToolSpec {
  const parameters = slots.map((slot) => [slot, { description: slot, type: "str" }]);
  return { name, description: name, parameters: Object.fromEntries(parameters) };
}
