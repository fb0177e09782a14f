/**
 * Before a run goes on: are the lines of its logs whole that it will keep? What comes after the newest checkpoint is written
 * again and need not be. A damaged line is named, with the checkpoint from which the run would write it anew.
 */
import { existsSync } from "node:fs";
import { MulliganError } from "../core/errors.ts";
import { jsonOf, streamLines } from "../core/line-stream.ts";
import { wayBack } from "./checkpoints.ts";
import { logsOf, type RunFolder } from "./run-folder.ts";

const STEP = /^\{"step":(\d+)/;

/** Up to step `newest`. Reads every line, about ten seconds per gigabyte of traces. Throws `MulliganError("data")`. */
export async function requireIntactLogs(folder: RunFolder, newest: number): Promise<void> {
  for (const path of logsOf(folder)) {
    if (!existsSync(path)) continue;
    const last = await requireIntact(folder, path, newest);
    if (last >= newest || ![folder.metrics, folder.timings].includes(path)) continue;
    const rule = `must have a line for each step up to the checkpoint's, ${newest}, got the last of ${last}`;
    throw new MulliganError("data", `${path}: ${rule}`, { hint: await wayBack(folder, last + 1) });
  }
}

/** The last step that it tells of. */
async function requireIntact(folder: RunFolder, path: string, newest: number): Promise<number> {
  let step = 0;
  let hint = await wayBack(folder, step);
  for await (const line of streamLines(path, { tornLine: true })) {
    const found = Number(STEP.exec(line.text)?.[1] ?? step);
    // what a kill cut off belongs to a step after the checkpoint, which synced what is before it
    if (found > newest || (line.isTorn && !STEP.test(line.text))) return Math.max(step, found);
    if (line.isTorn)
      throw new MulliganError("data", `${path}, line ${line.line}: must be whole, is cut off`, { hint });
    jsonOf(line, path, hint);
    if (found === step) continue;
    step = found;
    hint = await wayBack(folder, step);
  }
  return step;
}
