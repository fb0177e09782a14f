/**
 * Before a run goes on: are the lines of its logs whole that it will keep? What comes after the newest checkpoint is written
 * again and need not be. A damaged line is named, with the checkpoint from which the run would write it anew.
 */
import { existsSync } from "node:fs";
import { jsonOf, streamLines } from "../core/line-stream.ts";
import { wayBack } from "./checkpoints.ts";
import { latestCheckpoint, type RunFolder } from "./run-folder.ts";

const STEP = /^\{"step":(\d+)/;

/** Reads every line, about ten seconds per gigabyte of traces. Throws `MulliganError("data")`. */
export async function requireIntactLogs(folder: RunFolder): Promise<void> {
  const newest = (await latestCheckpoint(folder))?.step;
  if (newest === undefined) return;
  for (const path of [folder.metrics, folder.timings, folder.traces, folder.evaluations]) {
    if (existsSync(path)) await requireIntact(folder, path, newest);
  }
}

async function requireIntact(folder: RunFolder, path: string, newest: number): Promise<void> {
  let step = 0;
  let hint = await wayBack(folder, step);
  for await (const line of streamLines(path)) {
    const found = Number(STEP.exec(line.text)?.[1] ?? step);
    if (found > newest) return;
    jsonOf(line, path, hint);
    if (found === step) continue;
    step = found;
    hint = await wayBack(folder, step);
  }
}
