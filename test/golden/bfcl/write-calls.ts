/**
 * Writes the mutated calls of BFCL's rows for its own checker, one line each:
 * `tsx test/golden/bfcl/write-calls.ts <folder of BFCL_v4_*.json> > calls.jsonl`, then verdicts.py.
 */
import { existsSync } from "node:fs";
import { loadToolCallingRows } from "../../../src/tasks/tool-calling/load.ts";
import { formatLiteral } from "../../../src/verify/calls/literal.ts";
import { mutationsOf } from "./mutations.ts";

const [folder] = process.argv.slice(2);
for (const category of ["simple_python", "multiple", "parallel", "parallel_multiple"]) {
  const path = `${folder}/BFCL_v4_${category}.json`;
  if (!existsSync(path)) continue;
  for (const row of await loadToolCallingRows(path)) {
    for (const [kind, calls] of mutationsOf(row)) {
      // BFCL's own form of a call
      const named = calls?.map(({ name, arguments: given }) => new Map([[name, given]]));
      const text = named === undefined ? "null" : formatLiteral(named);
      process.stdout.write(`${JSON.stringify({ category, id: row.id, kind, calls: text })}\n`);
    }
  }
}
