/**
 * What of a run cannot be shown, in words: what is wrong stands on the page, which may be sent to others and names no path of
 * this machine; what to do about it is told in a terminal.
 */
import { basename } from "node:path";
import { MulliganError } from "../../core/errors.ts";
import type { RunFolder } from "../../store/run-folder.ts";
import { shortLogs, wayForward } from "../../store/short-logs.ts";

export interface Damage {
  /** The file by its name in the run's folder, and what is wrong with it: "results.json: not JSON". */
  problem: string;
  /** What to do, as a command where there is one. */
  hint: string;
}

/** Damage as it is met while reading. */
export interface Finding {
  problem: string;
  /** What to do, or the step from which on the run's logs would have to be written anew. */
  remedy: { hint: string } | { from: number };
}

/** What an error of ours says of a file, or of a line of step `from`. Any other error is a bug, and thrown on. */
export function findingOf(error: unknown, from?: number): Finding {
  if (!(error instanceof MulliganError)) throw error;
  const hint = error.hint ?? "take the file from a copy of the run";
  return { problem: error.message, remedy: from === undefined ? { hint } : { from } };
}

export async function damageOf(folder: RunFolder, { problem, remedy }: Finding): Promise<Damage> {
  return {
    problem: problem.replaceAll(`${folder.dir}/`, "").replaceAll(folder.dir, basename(folder.dir)),
    hint: "hint" in remedy ? remedy.hint : await wayForward(folder, remedy.from),
  };
}

/** Logs that lack lines though every line is whole: cut at a line's end. One that cannot be read is named by who reads it. */
export async function missingLines(folder: RunFolder): Promise<Damage[]> {
  const short = await shortLogs(folder).catch(() => []);
  return Promise.all(
    short.map(({ path, problem, from }) =>
      damageOf(folder, { problem: `${path}: ${problem}`, remedy: { from } }),
    ),
  );
}
