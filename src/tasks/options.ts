/** Options of built-in tasks, checked against a schema: a misspelt or impossible one is named, with what would do. */
import type { z } from "zod";
import { MulliganError, nearestName } from "../core/errors.ts";

/** Parses options; throws `MulliganError("config")`, with the nearest name for an unknown option. */
export function parseOptions<Schema extends z.ZodObject>(
  task: string,
  schema: Schema,
  options: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const names = Object.keys(schema.shape);
  if (issue.code === "unrecognized_keys") {
    const near = nearestName(issue.keys[0]!, names);
    throw new MulliganError("config", `task ${task}: unknown option "${issue.keys[0]}"`, {
      hint: near ? `did you mean "${near}"?` : `the options are ${names.join(", ")}`,
    });
  }
  const option = issue.path.join(".");
  const value = (options as Record<string, unknown> | undefined)?.[String(issue.path[0])];
  const got = option === "" ? "" : `, got ${JSON.stringify(value)}`;
  throw new MulliganError("config", `task ${task}: ${option || "options"}: ${issue.message}${got}`, {
    hint: `the options are ${names.join(", ")}`,
  });
}
