/** What of a run is damaged or missing, as warnings: a line each, with what to do. */
import { printable } from "../../core/printable.ts";
import type { Damage } from "../../report/index.ts";

/** A run of which every group is damaged says the same of each. Arbitrary. */
const MOST_SHOWN = 6;

export function renderDamages(damages: readonly Damage[]): string {
  const lines = damages.slice(0, MOST_SHOWN).map(({ problem, hint }) => `warning: ${problem}; ${hint}`);
  const more = damages.length - MOST_SHOWN;
  if (more > 0) lines.push(`warning: ${more} more places are damaged`);
  return lines.map((line) => printable(`${line.replaceAll("\n", " ")}\n`)).join("");
}
