/**
 * Failed attempts with their exact tokens as a file, after a header that says what they were sampled from: stage 1's
 * product, or a set that training collected anew. What loads is complete and consistent, or an error names the line.
 */
import type { z } from "zod";
import type { Failure } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import { type JsonLine, readJsonl, writeJsonl } from "../core/jsonl.ts";
import { Failure as FailureLine, FailuresHeader, RefreshHeader } from "./wire.ts";

export interface FailureSet<Header = FailuresHeader> {
  header: Header;
  failures: Failure[];
}

/** Writes header and failures, whole or not at all. Throws `MulliganError("io")`. */
export async function saveFailures(
  path: string,
  { header, failures }: FailureSet<FailuresHeader | RefreshHeader>,
): Promise<void> {
  await writeJsonl(path, [header, ...failures]);
}

/** Reads what `saveFailures` wrote, checking every line. Throws `MulliganError("data")` that names file and line. */
export function loadFailures(path: string): Promise<FailureSet> {
  return load(path, FailuresHeader, "collect the failures again with `mulligan collect`");
}

/** The same for a set that training collected. */
export function loadRefreshedFailures(path: string): Promise<FailureSet<RefreshHeader>> {
  return load(path, RefreshHeader, "go on from an older checkpoint, with --resume --from checkpoint-N");
}

async function load<Header>(
  path: string,
  schema: z.ZodType<Header>,
  hint: string,
): Promise<FailureSet<Header>> {
  const [first, ...rest] = await readJsonl(path);
  if (first === undefined) {
    throw new MulliganError("data", `${path}: must hold collected failures, got an empty file`, { hint });
  }
  const header = parseLine(schema, first, `${path}, line ${first.line} (header)`, hint);
  const lineOf = new Map<string, number>();
  const failures = rest.map((line) => {
    const failure = parseLine(FailureLine, line, `${path}, line ${line.line}`, hint);
    const other = lineOf.get(failure.id);
    if (other !== undefined) {
      const rule = `id: must be unique, got "${failure.id}" of line ${other}`;
      throw new MulliganError("data", `${path}, line ${line.line}: ${rule}`, { hint });
    }
    lineOf.set(failure.id, line.line);
    return failure;
  });
  return { header, failures };
}

/** A line by its schema. Throws `MulliganError("data")` that names the place and the field. */
export function parseLine<T>(schema: z.ZodType<T>, { value }: JsonLine, where: string, hint: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw new MulliganError("data", `${where}: ${field}${issue.message}`, { hint, cause: result.error });
}
