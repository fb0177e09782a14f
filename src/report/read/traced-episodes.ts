/** One episode after the other out of a run's traces, by step and by what came of it. Streams; shows nothing. */
import { existsSync } from "node:fs";
import type { Verdict } from "../../core/task.ts";
import type { Trace } from "../../core/trace.ts";
import type { RunFolder } from "../../store/run-folder.ts";
import { holdsRun } from "../../store/run-settings.ts";
import { scanTraces } from "../../store/traces.ts";
import { type Damage, damageOf, type Finding, findingOf } from "./damage.ts";
import { readSettings } from "./run-data.ts";

/** An episode of a group of reflections, or an attempt of a group of attempts, by its place in it. */
export interface TracedEpisode {
  trace: Trace;
  member: number;
}

/** Of first attempts that learn, a solved one counts as rescued. "dead": its group taught nothing. */
export const EPISODE_OUTCOMES = ["rescued", "not-rescued", "unscored", "leak", "truncated", "dead"] as const;
export type EpisodeOutcome = (typeof EPISODE_OUTCOMES)[number];

export interface EpisodeChoice {
  step?: number;
  outcome?: EpisodeOutcome;
}

/**
 * In the order of training. Tells of settings and groups that are damaged, and goes on without them. Throws
 * `MulliganError("data")` when the folder holds no run, or traces of which no more can be read.
 */
export async function* tracedEpisodes(
  folder: RunFolder,
  { step, outcome }: EpisodeChoice = {},
  onDamaged: (damage: Damage) => void = () => {},
): AsyncGenerator<TracedEpisode> {
  const tell = async (finding: Finding) => onDamaged(await damageOf(folder, finding));
  try {
    await readSettings(folder);
  } catch (error) {
    if (!holdsRun(folder)) throw error;
    await tell(findingOf(error));
  }
  if (!existsSync(folder.traces)) return;
  for await (const record of scanTraces(folder.traces)) {
    if (step !== undefined && record.step > step) return; // steps only grow
    if (step !== undefined && record.step !== step) continue;
    try {
      yield* episodesIn(record.parse(), outcome);
    } catch (error) {
      await tell(findingOf(error, record.step));
    }
  }
}

function* episodesIn(trace: Trace, outcome: EpisodeOutcome | undefined): Generator<TracedEpisode> {
  const members = trace.kind === "reflections" ? trace.episodes : trace.attempts;
  for (const member of members.keys()) {
    if (outcome === undefined || outcomesOf(trace, member).includes(outcome)) yield { trace, member };
  }
}

/** How many episodes there are, of which steps, and what came of them; one may have several outcomes. */
export interface EpisodeTally {
  episodes: number;
  firstStep: number;
  lastStep: number;
  outcomes: ReadonlyMap<EpisodeOutcome, number>;
}

/** Of all steps, or of one. Throws what `tracedEpisodes` throws. */
export async function tallyEpisodes(
  folder: RunFolder,
  choice: Pick<EpisodeChoice, "step"> = {},
): Promise<EpisodeTally> {
  const outcomes = new Map<EpisodeOutcome, number>();
  let [episodes, firstStep, lastStep] = [0, 0, 0];
  for await (const { trace, member } of tracedEpisodes(folder, choice)) {
    if (episodes++ === 0) firstStep = trace.step;
    lastStep = trace.step;
    for (const outcome of outcomesOf(trace, member)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return { episodes, firstStep, lastStep, outcomes };
}

function outcomesOf(trace: Trace, member: number): EpisodeOutcome[] {
  const { retries, leaks, truncated } = factsOf(trace, member);
  const kinds = retries.map(({ kind }) => kind);
  const outcomes: EpisodeOutcome[] = [];
  if (kinds.includes("solved")) outcomes.push("rescued");
  else outcomes.push(kinds.includes("failed") ? "not-rescued" : "unscored");
  if (leaks) outcomes.push("leak");
  if (truncated) outcomes.push("truncated");
  if (trace.state !== "live") outcomes.push("dead");
  return outcomes;
}

function factsOf(trace: Trace, member: number): { retries: Verdict[]; leaks: boolean; truncated: boolean } {
  if (trace.kind === "attempts") {
    const { attempt, verdict } = trace.attempts[member]!;
    return { retries: [verdict], leaks: false, truncated: attempt.truncated };
  }
  const { reflection, retries, leaks = false } = trace.episodes[member]!;
  const truncated = reflection.truncated || retries.some(({ utterance }) => utterance.truncated);
  return { retries: retries.map(({ verdict }) => verdict), leaks, truncated };
}
