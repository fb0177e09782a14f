/** What training warned of: when it happens, and once more when a run ends, for who was asleep. */
import { existsSync } from "node:fs";
import { readJsonl } from "../../core/jsonl.ts";
import { printable } from "../../core/printable.ts";
import type { RunFolder } from "../../store/run-folder.ts";
import { WarningLine } from "../../store/wire.ts";
import type { ProgressStream } from "./progress.ts";

export function renderWarning({ step, message, hint }: WarningLine): string {
  return printable(`warning, step ${step}: ${message}\n  ${hint}`);
}

/** One line for each kind, with its first message. Damaged lines are passed over: they must not hide how the run ended. */
export async function listWarnings(folder: RunFolder, stream: ProgressStream): Promise<void> {
  if (!existsSync(folder.warnings)) return;
  const lines = await readJsonl(folder.warnings).catch(() => []);
  const warnings = lines.flatMap(({ value }) => WarningLine.safeParse(value).data ?? []);
  if (warnings.length === 0) return;
  stream.write("warnings of this run (docs/guide/when-it-does-not-learn.md):\n");
  for (const kind of new Set(warnings.map((warning) => warning.kind))) {
    const [first, ...again] = warnings.filter((warning) => warning.kind === kind);
    const times = again.length === 1 ? "once more" : `${again.length} more times, last`;
    const more = again.length === 0 ? "" : ` (${times} at step ${again.at(-1)!.step})`;
    stream.write(printable(`  step ${first!.step}, ${kind}: ${first!.message}${more}\n`));
  }
}
