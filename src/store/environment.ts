/**
 * `environment.json`: what computed a run, one entry each time it was started or resumed. The results of a run may differ in
 * their last digits where these do; nothing is computed from them.
 */
import { existsSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { MulliganError } from "../core/errors.ts";
import { readJsonFile } from "../core/json-file.ts";
import { type RunFolder, writeJsonAtomic } from "./run-folder.ts";
import { Environment, type Start } from "./wire.ts";

/** Largest file, in bytes: a start takes about one kilobyte, and a run may have been started again a thousand times. */
const MAX_ENVIRONMENT_BYTES = 2 ** 24;

/** What bytes may depend on, in people's words. */
const ASPECTS: readonly [what: string, valueIn: (start: Start) => unknown][] = [
  ["Mulligan", ({ mulligan }) => mulligan],
  ["Node", ({ node }) => node],
  ["onnxruntime", ({ onnxruntime }) => onnxruntime],
  ["platform", ({ platform }) => platform],
  ["CPU", ({ cpu }) => cpu.model],
  ["threads", ({ threads }) => threads],
  ["the model's weights", ({ model }) => model.weights.slice(0, 12)],
];

/** Adds a start to the folder's list. Throws `MulliganError("data")` when the list is damaged. */
export async function recordStart(folder: RunFolder, start: Start): Promise<void> {
  const starts = [...(await readStarts(folder)), start];
  await writeJsonAtomic(folder.environment, { version: 1, starts } satisfies Environment);
}

/** Every start so far, the first one first; none where nothing was written yet. Throws `MulliganError("data")`. */
export async function readStarts({ environment: path }: RunFolder): Promise<Start[]> {
  if (!existsSync(path)) return [];
  try {
    return Environment.parse(await readJsonFile(path, MAX_ENVIRONMENT_BYTES)).starts;
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new MulliganError("data", `${path}: must list the starts of a run: ${reason}`, {
      hint: "remove the file: it only tells what the run was computed with",
      cause,
    });
  }
}

/** A sentence for each way in which a run goes on otherwise than it was last computed. */
export function changesSince(last: Start, now: Start): string[] {
  return ASPECTS.flatMap(([what, valueIn]) => {
    const [before, after] = [valueIn(last), valueIn(now)];
    if (isDeepStrictEqual(before, after)) return [];
    return [`${what}: ${before} until now, ${after} from here on; results may differ in their last digits`];
  });
}
