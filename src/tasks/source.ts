/** Rows that a user names: one file or data set of the hub, split by a hash of the ids, or one for each split. */
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import type { Split } from "../core/task.ts";
import type { TaskDefinition } from "./definition/definition.ts";
import type { FindRowFiles } from "./row-files.ts";
import { SPLITS } from "./split.ts";

const file = z.string().min(1);

export const Source = z
  .union([
    file,
    z.strictObject({ train: file.optional(), validation: file.optional(), test: file.optional() }),
  ])
  .describe(
    "a file or hf:organisation/name:split, split 80/10/10, or { train, validation, test } of those that are used",
  );
export type Source = z.infer<typeof Source>;

/** The splits that have a file of their own, for `Task.splits`; nothing for one file, which is split. */
export function splitsOf(source: Source | undefined): { splits?: readonly Split[] } {
  if (typeof source !== "object") return {};
  return { splits: SPLITS.filter((split) => source[split] !== undefined) };
}

/** Where files came from, for those beside them. */
export interface SourceFiles {
  source: string;
  find: FindRowFiles;
}

/** What `defineTask` takes. A split without a file throws `MulliganError("data")` once it is asked for. */
export function rowsFromSource<Row extends { id: string }>(
  task: string,
  source: Source,
  load: (files: readonly string[], from: SourceFiles) => Promise<Row[]>,
): TaskDefinition<Row>["rows"] {
  if (typeof source === "string") return async (find) => load(await find(source), { source, find });
  const files = Object.values(source).filter((path) => path !== undefined);
  const rowsOf = (split: Split) => async (find: FindRowFiles) => {
    const path = source[split];
    if (path === undefined) {
      throw new MulliganError("data", `task ${task}: source has no file for the ${split} split`, {
        hint: `give taskOptions.source.${split}, or one file for all splits`,
      });
    }
    const rows = await load(await find(path), { source: path, find });
    // two files may number their rows alike, and ids are unique within a task
    return files.length > 1 ? rows.map((row) => ({ ...row, id: `${split}/${row.id}` })) : rows;
  };
  return Object.fromEntries(SPLITS.map((split) => [split, rowsOf(split)])) as Record<
    Split,
    (find: FindRowFiles) => Promise<Row[]>
  >;
}
