/** A run as one page to look at: `report.html`, made from the run folder alone, as often as one likes. */
import { existsSync } from "node:fs";
import { writeAtomic } from "../core/atomic-file.ts";
import { type RunFolder, runFolderAt } from "../store/run-folder.ts";
import { scanTraces } from "../store/traces.ts";
import { renderPage } from "./draw/page.ts";
import { type Damage, damageOf, type Finding, findingOf, missingLines } from "./read/damage.ts";
import type { ReportTokenizer } from "./read/pieces.ts";
import { readRunData } from "./read/run-data.ts";
import { keepFailures } from "./read/test-failures.ts";
import { type KeptGroups, keepGroups } from "./read/training-groups.ts";

export { loadTokenizer } from "../text/tokenizer.ts";
export { type Damage, missingLines } from "./read/damage.ts";
export type { ReportTokenizer } from "./read/pieces.ts";
export {
  EPISODE_OUTCOMES,
  type EpisodeChoice,
  type EpisodeOutcome,
  type EpisodeTally,
  type TracedEpisode,
  tallyEpisodes,
  tracedEpisodes,
} from "./read/traced-episodes.ts";

export interface ReportOptions {
  /** The model's; without it texts are shown whole, not token by token. */
  tokenizer?: ReportTokenizer | undefined;
  /** Told of what is damaged or missing in the run's folder; the page tells it, too. */
  onDamaged?: (damage: Damage) => void;
}

/** Together with everything else, whose size has bounds of its own, the page stays below 20 MB. */
const MOST_TRACE_BYTES = 8e6;
const MOST_FAILURE_BYTES = 4e6;
/** Damaged files and lines that are named one by one. Arbitrary. */
const MOST_DAMAGED = 5;

/**
 * Writes the page beside what it tells of and returns its path. Throws `MulliganError("data")` when the folder holds no
 * run, `MulliganError("io")` when it cannot be written.
 */
export async function writeReport(dir: string, options: ReportOptions = {}): Promise<string> {
  const folder = runFolderAt(dir);
  await writeAtomic(folder.reportPage, await renderReportPage(folder, options));
  return folder.reportPage;
}

/** The page as text. Throws `MulliganError("data")`. */
export async function renderReportPage(
  folder: RunFolder,
  { tokenizer, onDamaged }: ReportOptions,
): Promise<string> {
  const findings: Finding[] = [];
  const find = (finding: Finding) => findings.push(finding);
  const run = await readRunData(folder, find);
  const traces = existsSync(folder.traces) ? scanTraces(folder.traces) : noTraces();
  const kept = await keepGroups(untilDamaged(traces, find), {
    mostBytes: MOST_TRACE_BYTES,
    decode: tokenizer?.decodeWithSpecials,
    onDamaged: find,
  });
  const test = run.testStart
    ? keepFailures(run.testStart, run.testTrained, { mostBytes: MOST_FAILURE_BYTES, tokenizer })
    : { failures: [], all: 0 };
  const damages = [...(await missingLines(folder)), ...(await damagesOf(folder, findings))];
  for (const damage of damages) onDamaged?.(damage);
  const notes = [
    ...noteOnGroups(kept),
    ...(test.all > 0 ? [`Failures of the test problems: ${shownOf(test.failures.length, test.all)}.`] : []),
    ...(tokenizer ? [] : ["Texts are not shown token by token: the model's tokenizer was not found."]),
    ...damages.map(({ problem }) => `Damaged: ${problem}.`),
    ...(damages.length > 0 ? ["In a terminal mulligan report tells what to do about damage."] : []),
  ];
  return renderPage(run, { groups: kept.groups, failures: test.failures }, notes);
}

/** In words; some of them where there are many. */
async function damagesOf(folder: RunFolder, findings: readonly Finding[]): Promise<Damage[]> {
  const named = await Promise.all(
    findings.slice(0, MOST_DAMAGED).map((finding) => damageOf(folder, finding)),
  );
  const more = findings.length - MOST_DAMAGED;
  if (more > 0) named.push({ problem: `${more} more places`, hint: "see to the ones above first" });
  return named;
}

/** What was read before a damaged line is worth showing. */
async function* untilDamaged<T>(
  items: AsyncIterable<T>,
  onDamaged: (finding: Finding) => void,
): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    onDamaged(findingOf(error));
  }
}

async function* noTraces(): AsyncGenerator<never> {}

function noteOnGroups({ steps, groupsOfSteps }: KeptGroups): string[] {
  if (steps.all === 0) return ["No training step has been traced."];
  const groups =
    groupsOfSteps.shown < groupsOfSteps.all
      ? `, of these ${shownOf(groupsOfSteps.shown, groupsOfSteps.all)} groups`
      : "";
  const rule = steps.shown < steps.all ? " (the first, the last and evenly spaced ones)" : "";
  const rest = rule + groups === "" ? "" : " All are in traces.jsonl.";
  const which = steps.all === 1 ? "the only step" : `${shownOf(steps.shown, steps.all)} steps`;
  return [`Training: episodes of ${which}${rule}${groups}.${rest}`];
}

function shownOf(shown: number, all: number): string {
  return shown === all ? `all ${all}` : `${shown} of ${all}`;
}
