/**
 * Rows in the format of Salesforce/xlam-function-calling-60k, which is gated, made from a catalog of functions: one tool,
 * several to choose from, several calls at once.
 */
import { MulliganError } from "../../core/errors.ts";
import { createRng, type Rng } from "../../core/rng.ts";
import type { CatalogParameter, CatalogTool, CatalogValue } from "./catalog/tool.ts";
import { CATALOG } from "./catalog.ts";

export interface XlamRow {
  id: string;
  query: string;
  /** JSON: `[{name, description, parameters: {argument: {description, type, default}}}]`. */
  tools: string;
  /** JSON: `[{name, arguments}]`. */
  answers: string;
}

export interface GenerateToolCalls {
  count: number;
  seed: number;
  /** Put before the number of a row to make its id. */
  prefix?: string;
  exclude?: (row: XlamRow) => boolean;
}

interface Request {
  tool: CatalogTool;
  text: string;
  arguments: Record<string, CatalogValue>;
}

/** Rows with different queries. Row i of a seed does not depend on the count. Throws `MulliganError("config")`. */
export function generateToolCalls({ count, seed, prefix = "", exclude }: GenerateToolCalls): XlamRow[] {
  const source = createRng(seed).fork("tool-calling");
  const rows = new Map<string, XlamRow>();
  const lastDraw = 100 * count + 10_000;
  for (let draw = 0; rows.size < count; draw++) {
    if (draw === lastDraw) {
      throw new MulliganError("config", `tool-calling: ${count} rows: only ${rows.size} could be made`);
    }
    const row = { id: `${prefix}${draw}`, ...drawRow(source.fork(draw)) };
    if (!rows.has(row.query) && !exclude?.(row)) rows.set(row.query, row);
  }
  return [...rows.values()];
}

function drawRow(rng: Rng): Omit<XlamRow, "id"> {
  const calls = rng.next() < 0.3 ? rng.int(2, 3) : 1;
  const first = rng.choice(CATALOG);
  const callsOneTool = rng.next() < 0.5;
  const called = Array.from({ length: calls }, (_, i) =>
    i === 0 || callsOneTool ? first : rng.choice(CATALOG),
  );
  const requests = called.map((tool) => drawRequest(rng, tool));
  const others = rng.shuffle(CATALOG.filter((tool) => !called.includes(tool))).slice(0, rng.int(0, 3));
  const offered = rng.shuffle([...new Set(called), ...others]);
  return {
    query: joinRequests(rng, requests),
    tools: JSON.stringify(offered.map(specFrom)),
    answers: JSON.stringify(
      requests.map(({ tool, arguments: given }) => ({ name: tool.name, arguments: given })),
    ),
  };
}

function drawRequest(rng: Rng, tool: CatalogTool): Request {
  const values = new Map(
    Object.entries(tool.parameters).map(([name, parameter]) => [name, drawValue(rng, parameter)] as const),
  );
  const sentence = rng.choice(tool.requests);
  const added = Object.entries(tool.additions ?? {}).filter(() => rng.next() < 0.4);
  const template = sentence.slice(0, -1) + added.map(([, words]) => words).join("") + sentence.at(-1);
  const isGiven = (name: string) => template.includes(`{${name}}`) || added.some(([other]) => other === name);
  const given = [...values].filter(([name]) => isGiven(name));
  const text = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => inWords(values.get(name)!));
  return { tool, text, arguments: Object.fromEntries(given) };
}

function drawValue(rng: Rng, { values }: CatalogParameter): CatalogValue {
  return "low" in values ? rng.int(values.low, values.high) : rng.choice(values);
}

/** "a, b and c" for a list. */
function inWords(value: CatalogValue): string {
  if (typeof value !== "object") return String(value);
  const [last, ...rest] = [...value].reverse();
  return rest.length === 0 ? String(last) : `${rest.reverse().join(", ")} and ${last}`;
}

function joinRequests(rng: Rng, requests: readonly Request[]): string {
  const connectors = [" ", " Also, ", " After that, ", " And "];
  return requests.reduce((text, request) => {
    if (text === "") return request.text;
    const connector = rng.choice(connectors);
    const next = connector === " " || /^I\b/.test(request.text) ? request.text : lowerFirst(request.text);
    return text + connector + next;
  }, "");
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function specFrom({ name, description, parameters }: CatalogTool) {
  const specs = Object.entries(parameters).map(([argument, { values: _, ...spec }]) => [argument, spec]);
  return { name, description, parameters: Object.fromEntries(specs) };
}
