/**
 * Stage 1's product as a file: failed attempts with their exact tokens, after a header that says what they were sampled
 * from. What loads is complete and consistent, or an error names the line.
 */
import type { z } from "zod";
import type { Failure } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import { readJsonl, writeJsonl } from "../core/jsonl.ts";
import { Failure as FailureLine, FailuresHeader } from "./wire.ts";

export interface FailureSet {
  header: FailuresHeader;
  failures: Failure[];
}

/** Writes header and failures, whole or not at all. Throws `MulliganError("io")`. */
export async function saveFailures(path: string, { header, failures }: FailureSet): Promise<void> {
  await writeJsonl(path, [header, ...failures]);
}

/** Reads what `saveFailures` wrote, checking every line. Throws `MulliganError("data")` that names file and line. */
export async function loadFailures(path: string): Promise<FailureSet> {
  const [first, ...rest] = await readJsonl(path);
  if (first === undefined) {
    throw new MulliganError("data", `${path}: must hold collected failures, got an empty file`, {
      hint: COLLECT,
    });
  }
  const header = parseLine(FailuresHeader, first.value, `${path}, line ${first.line} (header)`);
  const lineOf = new Map<string, number>();
  const failures = rest.map(({ line, value }) => {
    const failure = parseLine(FailureLine, value, `${path}, line ${line}`);
    const other = lineOf.get(failure.id);
    if (other !== undefined) {
      throw new MulliganError(
        "data",
        `${path}, line ${line}: id: must be unique, got "${failure.id}" of line ${other}`,
        {
          hint: COLLECT,
        },
      );
    }
    lineOf.set(failure.id, line);
    return failure;
  });
  return { header, failures };
}

const COLLECT = "collect the failures again with `mulligan collect`";

function parseLine<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw new MulliganError("data", `${where}: ${field}${issue.message}`, {
    hint: COLLECT,
    cause: result.error,
  });
}
