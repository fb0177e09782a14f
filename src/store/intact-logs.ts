/**
 * Before a run goes on: are the lines of its logs whole that it will keep? What comes after the newest checkpoint is written
 * again and need not be. A damaged or missing line is named, with the checkpoint from which the run would write it anew.
 */
import { existsSync } from "node:fs";
import { MulliganError } from "../core/errors.ts";
import { jsonOf, streamLines } from "../core/line-stream.ts";
import { wayBack } from "./checkpoints.ts";
import { headOf } from "./line-heads.ts";
import { logsOf, type RunFolder } from "./run-folder.ts";
import { shortLogs } from "./short-logs.ts";

/** Up to step `newest`. Reads every line, about ten seconds per gigabyte of traces. Throws `MulliganError("data")`. */
export async function requireIntactLogs(folder: RunFolder, newest: number): Promise<void> {
  for (const path of logsOf(folder)) if (existsSync(path)) await requireIntact(folder, path, newest);
  const short = (await shortLogs(folder)).find(({ from }) => from <= newest);
  if (!short) return;
  const { path, problem, from } = short;
  throw new MulliganError("data", `${path}: ${problem}`, { hint: await wayBack(folder, from) });
}

async function requireIntact(folder: RunFolder, path: string, newest: number): Promise<void> {
  let step = 0;
  let hint = await wayBack(folder, step);
  for await (const line of streamLines(path, { tornLine: true })) {
    const head = headOf(line.text);
    const found = head.step ?? step;
    // what a kill cut off belongs to a step after the checkpoint, which synced what is before it
    if (found > newest || (line.isTorn && head.step === undefined)) return;
    if (line.isTorn)
      throw new MulliganError("data", `${path}, line ${line.line}: must be whole, is cut off`, { hint });
    jsonOf(line, path, hint);
    if (found === step) continue;
    step = found;
    hint = await wayBack(folder, step);
  }
}
