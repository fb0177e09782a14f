/**
 * A run's files, each by its schema. One that is missing is a stage that has not come; what is damaged is told and left out, since
 * the rest of a broken run is what its owner wants to see.
 */
import { basename } from "node:path";
import type { z } from "zod";
import { MAX_TEXT_BYTES, parseJson, readTextFile } from "../../core/json-file.ts";
import { headOf } from "../../store/line-heads.ts";
import type { Finding } from "./damage.ts";

type OnDamaged = (finding: Finding) => void;

/** undefined when the file is not there, or not what it should be, which is told with `hint`. */
export async function readJson<T>(
  path: string,
  schema: z.ZodType<T>,
  { hint, onDamaged }: { hint: string; onDamaged: OnDamaged },
): Promise<T | undefined> {
  const text = await readText(path, { hint, onDamaged });
  if (text === undefined) return undefined;
  const { value, problem } = parse(text, schema);
  if (problem !== undefined) onDamaged({ problem: `${basename(path)}: ${problem}`, remedy: { hint } });
  return value;
}

/** Lines up to the first that is damaged. A last one without its end is of a writer that was killed, or still writes. */
export async function readLines<T extends { step: number }>(
  path: string,
  schema: z.ZodType<T>,
  onDamaged: OnDamaged,
): Promise<T[]> {
  const text = await readText(path, { hint: "make it a file that can be read", onDamaged });
  const values: T[] = [];
  for (const [i, line] of text?.split("\n").slice(0, -1).entries() ?? []) {
    if (line.trim() === "") continue;
    const { value, problem } = parse(line, schema);
    if (problem !== undefined) {
      const from = headOf(line).step ?? values.at(-1)?.step ?? 0;
      const where = `${basename(path)}, line ${i + 1} and what follows`;
      onDamaged({ problem: `${where}: ${problem}`, remedy: { from } });
      break;
    }
    values.push(value!);
  }
  return values;
}

function parse<T>(text: string, schema: z.ZodType<T>): { value?: T; problem?: string } {
  try {
    const { data, error } = schema.safeParse(parseJson(text));
    if (!error) return { value: data };
    const { path, message } = error.issues[0]!;
    return { problem: path.length > 0 ? `${path.join(".")}: ${message}` : message };
  } catch {
    return { problem: "not JSON" };
  }
}

async function readText(
  path: string,
  { hint, onDamaged }: { hint: string; onDamaged: OnDamaged },
): Promise<string | undefined> {
  try {
    return await readTextFile(path, MAX_TEXT_BYTES);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR")
      onDamaged({ problem: `${basename(path)}: cannot be read: ${message}`, remedy: { hint } });
    return undefined;
  }
}
