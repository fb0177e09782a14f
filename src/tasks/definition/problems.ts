/** The problems of a task by split, from its rows: each source is loaded once, when it is first asked for, and no id is given twice. */
import { MulliganError } from "../../core/errors.ts";
import type { Problem, Split, Task } from "../../core/task.ts";
import type { FindRowFiles } from "../row-files.ts";
import { readRows } from "../rows.ts";
import { splitByHash } from "../split.ts";
import { isSource, type RowSource, type TaskDefinition } from "./definition.ts";

/** `name` is the task's. Its function throws `MulliganError`: "data" for rows, "task" for a function that gives none. */
export function problemsFrom<Row>(
  name: string,
  rows: TaskDefinition<Row>["rows"],
  files: FindRowFiles,
): Task<Row>["problems"] {
  const seen = new Map<string, string>();
  const load = async (source: RowSource<Row>, label: string) => {
    const list = await rowsFrom(name, label === "row" ? "rows" : `rows.${label}`, source, files);
    return list.map((row, index): Problem<Row> => {
      const id = idOf(row) ?? `${label}-${index + 1}`;
      const place = `${label} ${index + 1}`;
      if (seen.has(id)) {
        const rule = `id "${id}" is given twice: ${seen.get(id)} and ${place}`;
        throw new MulliganError("data", `task ${name}: ${rule}`, {
          hint: "every row needs an id of its own; rows without one are numbered",
        });
      }
      seen.set(id, place);
      return { id, row };
    });
  };
  const loaded = new Map<string, Promise<readonly Problem<Row>[]>>();
  const once = (source: RowSource<Row>, label: string) => {
    if (!loaded.has(label)) loaded.set(label, load(source, label));
    return loaded.get(label)!;
  };
  return async (split) => {
    if (isSplitRows(rows)) return once(rows[split], split);
    const all = await once(rows, "row");
    const problems = all.filter(({ id }) => splitByHash(id, { salt: "rows 1" }) === split);
    if (problems.length > 0) return problems;
    throw new MulliganError("data", `task ${name}: none of its ${all.length} rows falls to ${split}`, {
      hint: "give more rows, or rows: { train, validation, test }",
    });
  };
}

function isSplitRows<Row>(
  rows: TaskDefinition<Row>["rows"],
): rows is Readonly<Record<Split, RowSource<Row>>> {
  return !isSource(rows);
}

/** `field` is for messages: "rows", or "rows.validation". */
async function rowsFrom<Row>(
  name: string,
  field: string,
  source: RowSource<Row>,
  files: FindRowFiles,
): Promise<readonly Row[]> {
  const rows = typeof source === "string" ? await readFiles(await files(source)) : await called();
  if (!Array.isArray(rows)) {
    throw new MulliganError("task", `task ${name}: ${field} must give a list, got ${typeof rows}`);
  }
  if (rows.length > 0) return rows as readonly Row[];
  const where = typeof source === "string" ? `${source} holds no rows` : `${field} is empty`;
  throw new MulliganError("data", `task ${name}: ${where}`, { hint: "every split needs at least one row" });

  async function called(): Promise<unknown> {
    try {
      return typeof source === "function" ? await source(files) : source;
    } catch (cause) {
      if (cause instanceof MulliganError) throw cause;
      throw new MulliganError("task", `task ${name}: ${field} threw: ${cause}`, { cause });
    }
  }
}

async function readFiles(paths: readonly string[]): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const path of paths) for (const row of await readRows(path)) rows.push(row);
  return rows;
}

function idOf(row: unknown): string | undefined {
  if (typeof row !== "object" || row === null || !("id" in row)) return undefined;
  return typeof row.id === "string" || typeof row.id === "number" ? String(row.id) : undefined;
}
