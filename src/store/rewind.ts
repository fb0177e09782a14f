/**
 * A run that was killed may have told of steps after its newest checkpoint. Before it goes on from there those lines go,
 * else they would stand there twice. Relies on the writers: `step` is a line's first field, and steps only grow.
 */
import { createReadStream, existsSync } from "node:fs";
import { readdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { latestCheckpoint, type RunFolder } from "./run-folder.ts";

const HEAD = /^\{"step":(\d+)(?:,"split":"(\w+)")?/;
const HEAD_BYTES = 64;
const NEWLINE = 0x0a;

/** Cuts the run's logs back to its newest checkpoint, or to the evaluation of the starting model when it has none. */
export async function rewindRun(folder: RunFolder): Promise<void> {
  const { step: newest = -1 } = (await latestCheckpoint(folder)) ?? {};
  const isKept = (head: string) => {
    const [, step, split] = HEAD.exec(head) ?? [];
    // on the test problems only the starting model's evaluation is kept as a file; the trained one's is made again
    return split === "test" ? step === "0" : !(Number(step) > newest);
  };
  for (const path of [folder.metrics, folder.timings, folder.traces, folder.evaluations, folder.warnings])
    await cut(path, isKept);
  for (const name of await readdir(folder.skipped).catch(() => [])) {
    if (Number(/^step-(\d+)\.json$/.exec(name)?.[1]) > newest) await rm(join(folder.skipped, name));
  }
}

/** What an earlier end of a run left: it would be taken for the end of the run that goes on. */
export async function removeEnd(folder: RunFolder): Promise<void> {
  const { testTrained, results, report, swap, transfer, model } = folder;
  for (const path of [results, report, swap, transfer, testTrained, model]) {
    await rm(path, { recursive: true, force: true });
  }
}

/** Cuts a file before its first line that is not kept, or that is cut off. Streams: traces may be many gigabytes. */
async function cut(path: string, isKept: (head: string) => boolean): Promise<void> {
  if (!existsSync(path)) return;
  let kept = 0;
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    let end = rest.indexOf(NEWLINE);
    while (end !== -1) {
      if (!isKept(rest.toString("latin1", 0, Math.min(end, HEAD_BYTES)))) return truncate(path, kept);
      kept += end + 1;
      rest = rest.subarray(end + 1);
      end = rest.indexOf(NEWLINE);
    }
  }
  await truncate(path, kept);
}
