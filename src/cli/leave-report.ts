/** The page of a run that has ended, in whatever way. */
import { existsSync } from "node:fs";
import { printable } from "../core/printable.ts";
import { type Damage, type ReportTokenizer, writeReport } from "../report/index.ts";
import type { RunFolder } from "../store/run-folder.ts";
import { renderDamages } from "./view/damage-view.ts";
import type { ProgressStream } from "./view/progress.ts";

/** Also of a run that was stopped or that failed: to see how far it came, and on what it failed. */
export async function leaveReport(
  { dir, failures }: RunFolder,
  tokenizer: ReportTokenizer,
  stderr: ProgressStream,
): Promise<void> {
  if (!existsSync(failures)) return; // still collecting: nothing to look at
  const damages: Damage[] = [];
  const onDamaged = (damage: Damage) => damages.push(damage);
  await writeReport(dir, { tokenizer, onDamaged }).catch((error: Error) => {
    // the run matters more than its picture
    stderr.write(printable(`warning: no report.html: ${error.message}\n`));
  });
  stderr.write(renderDamages(damages));
}
