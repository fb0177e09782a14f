/**
 * A run that was killed may have told of steps after its newest checkpoint. Before it goes on from there those lines go,
 * else they would stand there twice. Relies on the writers: steps only grow.
 */
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { removeWhole } from "../core/atomic-file.ts";
import { remove, truncate } from "../core/disk.ts";
import { type LineHead, lineHeads } from "./line-heads.ts";
import { latestCheckpoint, logsOf, type RunFolder } from "./run-folder.ts";

/**
 * Cuts the run's logs back to its newest checkpoint, or to the evaluation of the starting model when it has none. `validated`:
 * the last step whose validation that checkpoint knows of; a later one will be made again.
 */
export async function rewindRun(folder: RunFolder, validated = Number.POSITIVE_INFINITY): Promise<void> {
  const { step: newest = -1 } = (await latestCheckpoint(folder)) ?? {};
  const isKept = ({ step, split }: LineHead) => {
    // on the test problems only the starting model's evaluation is kept as a file; the trained one's is made again
    if (split === "test") return step === 0;
    return step === undefined || step <= (split === "validation" ? Math.min(newest, validated) : newest);
  };
  for (const path of logsOf(folder)) await cut(path, isKept);
  for (const name of await readdir(folder.skipped).catch(() => [])) {
    if (Number(/^step-(\d+)\.json$/.exec(name)?.[1]) > newest) await remove(join(folder.skipped, name));
  }
}

/** What an earlier end of a run left: it would be taken for the end of the run that goes on. */
export async function removeEnd(folder: RunFolder): Promise<void> {
  const { testTrained, results, report, reportPage, swap, transfer, model } = folder;
  for (const path of [results, report, reportPage, swap, transfer, testTrained, model])
    await removeWhole(path);
}

/** Cuts a file before its first line that is not kept, or that is torn. Streams: traces may be many gigabytes. */
async function cut(path: string, isKept: (head: LineHead) => boolean): Promise<void> {
  if (!existsSync(path)) return;
  let end = 0;
  for await (const line of lineHeads(path)) {
    if (!isKept(line)) break;
    end = line.end;
  }
  if (end < (await stat(path)).size) await truncate(path, end);
}
