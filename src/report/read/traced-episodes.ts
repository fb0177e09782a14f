/** One episode after the other out of a run's traces, by step and by what came of it. Streams; shows nothing. */
import type { Verdict } from "../../core/task.ts";
import type { Trace } from "../../core/trace.ts";
import type { RunFolder } from "../../store/run-folder.ts";
import { scanTraces } from "../../store/traces.ts";
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

/** In the order of training. Throws `MulliganError("data")` when the folder holds no run, or no traces that can be read. */
export async function* tracedEpisodes(
  folder: RunFolder,
  { step, outcome }: EpisodeChoice = {},
): AsyncGenerator<TracedEpisode> {
  await readSettings(folder);
  for await (const record of scanTraces(folder.traces)) {
    if (step !== undefined && record.step > step) return; // steps only grow
    if (step !== undefined && record.step !== step) continue;
    const trace = record.parse();
    const members = trace.kind === "reflections" ? trace.episodes : trace.attempts;
    for (const member of members.keys()) {
      if (outcome === undefined || outcomesOf(trace, member).includes(outcome)) yield { trace, member };
    }
  }
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
