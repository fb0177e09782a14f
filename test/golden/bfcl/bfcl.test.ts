/**
 * Our reading of BFCL's rows against the verdicts of its own checker (verdicts.py), row by row and mutation by mutation.
 * Needs BFCL's data, of which nothing is kept here: `BFCL_DATA` names its folder; skipped without it.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadToolCallingRows } from "../../../src/tasks/tool-calling/load.ts";
import {
  bfclAnswers,
  bfclFunctions,
  expectedCalls,
  formatCall,
  type ToolCallingRow,
} from "../../../src/tasks/tool-calling/row.ts";
import { matchBfcl } from "../../../src/verify/calls/bfcl.ts";
import { matchCalls } from "../../../src/verify/calls/call-match.ts";
import { type Call, parseCalls } from "../../../src/verify/calls/calls.ts";
import { formatLiteral } from "../../../src/verify/calls/literal.ts";
import { MUTATIONS, mutationsOf } from "./mutations.ts";

interface Line {
  category: string;
  kind: string;
  /** A letter a row: v valid, i invalid, - nothing to mutate. */
  verdicts: string;
  errors: Record<string, number>;
  calls: string;
}

const lines = readFileSync(new URL("verdicts.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Line);
const FOLDER = process.env.BFCL_DATA ?? "../shared/data/bfcl";

/** Through the text that a model would write, as every answer goes. */
function read(calls: readonly Call[]): Call[] {
  const parsed = parseCalls(calls.map((call) => `<tool_call>\n${formatCall(call)}\n</tool_call>`).join("\n"));
  return parsed.kind === "calls" ? parsed.calls : [];
}

function bfclFault(calls: readonly Call[], row: ToolCallingRow) {
  return matchBfcl(read(calls), bfclAnswers(row), bfclFunctions(row))?.errorClass;
}

test("the verdicts that are kept cover every mutation, and all of them could be made", () => {
  for (const category of ["simple_python", "multiple", "parallel", "parallel_multiple"]) {
    const kinds = lines.filter((line) => line.category === category);
    expect(kinds.map(({ kind }) => kind)).toEqual(Object.keys(MUTATIONS));
    expect(new Set(kinds.map(({ verdicts }) => verdicts.length)).size).toBe(1);
  }
  const made = lines.map(({ verdicts }) => verdicts.replaceAll("-", "").length);
  expect(made.reduce((sum, count) => sum + count, 0)).toBe(20_527);
  expect(lines.some(({ verdicts }) => verdicts.includes("r"))).toBe(false);
});

describe.each(["simple_python", "multiple", "parallel", "parallel_multiple"])("BFCL %s", (category) => {
  const path = `${FOLDER}/BFCL_v4_${category}.json`;
  const kinds = lines.filter((line) => line.category === category);

  test.skipIf(!existsSync(path))("gets the verdict of its own checker on every mutation", async () => {
    const rows = await loadToolCallingRows(path);
    const mutated = rows.map(mutationsOf);
    for (const { kind, verdicts, calls: hash } of kinds) {
      const calls = mutated.map((mutations) => mutations.get(kind));
      const digest = createHash("sha256");
      for (const list of calls) {
        const named = list?.map(({ name, arguments: given }) => new Map([[name, given]]));
        digest.update(`${named === undefined ? "null" : formatLiteral(named)}\n`);
      }
      expect({ kind, calls: digest.digest("hex").slice(0, 16) }).toEqual({ kind, calls: hash });
      const ours = calls.map((list, i) => (list ? (bfclFault(list, rows[i]!) ? "i" : "v") : "-"));
      const differing = ours.flatMap((letter, i) => (letter === verdicts[i] ? [] : rows[i]!.id));
      expect({ kind, differing }).toEqual({ kind, differing: [] });
    }
  });

  test.skipIf(!existsSync(path))(
    "passes the data's answer strictly, and classifies what is wrong",
    async () => {
      const classes: Record<string, string> = {
        no_call: "wrong_count",
        other_function: "wrong_function",
        missing_required: "missing_argument",
        extra_argument: "extra_argument",
        misnamed_argument: "misnamed_argument",
        wrong_value: "wrong_value",
        number_as_string: "wrong_value",
      };
      for (const row of await loadToolCallingRows(path)) {
        const mutations = mutationsOf(row);
        const strictly = (kind: string) =>
          matchCalls(read(mutations.get(kind) ?? []), expectedCalls(row))?.errorClass;
        expect([row.id, strictly("gold"), strictly("reordered_keys")]).toEqual([
          row.id,
          undefined,
          undefined,
        ]);
        for (const [kind, errorClass] of Object.entries(classes)) {
          const calls = mutations.get(kind);
          if (calls) expect([row.id, kind, strictly(kind)]).toEqual([row.id, kind, errorClass]);
          // to BFCL an argument that may be left out is not missing
          if (calls?.length === 1 && kind !== "misnamed_argument")
            expect([row.id, kind, bfclFault(calls, row)]).toEqual([row.id, kind, errorClass]);
        }
      }
    },
  );
});
