/**
 * A log that was cut at a line's end reads as though there had been no more. What it lacks is known from the others: the groups of
 * a step are traced first, then the step is timed, then measured, and a checkpoint is saved after all of that.
 */
import { existsSync } from "node:fs";
import { streamLines } from "../core/line-stream.ts";
import { shellWord } from "../core/shell.ts";
import { checkpointSteps, wayBack } from "./checkpoints.ts";
import { headOf, lineHeads } from "./line-heads.ts";
import { latestCheckpoint, type RunFolder } from "./run-folder.ts";
import { StepLine } from "./wire.ts";

/** A log without lines that it must have had. */
export interface ShortLog {
  path: string;
  /** The first step that lacks some. */
  from: number;
  /** "must …, got …" */
  problem: string;
}

/**
 * Those of a run that may be under way, if it is not just going back: a log is compared only with what had been written when it
 * was read. Not judged are a log that is not there, and traces before their first group: a fork has none of its first steps.
 * Throws what reading throws.
 */
export async function shortLogs(folder: RunFolder): Promise<ShortLog[]> {
  const { step: saved = 0 } = (await latestCheckpoint(folder).catch(() => undefined)) ?? {};
  const groups = await groupsOfSteps(folder.metrics);
  const traced = await linesOfSteps(folder.traces);
  const timed = await linesOfSteps(folder.timings);
  const measured = await linesOfSteps(folder.metrics); // once more: only now later than the others
  // the last step of a killed run may have been traced and not timed, or timed and not measured
  const begun = Math.max(lastOf(traced), lastOf(timed)) - 1;
  return [
    ...withoutGroups(folder.traces, { traced, groups, saved }),
    ...withoutLine(folder.timings, timed, Math.max(saved, lastOf(groups), lastOf(traced) - 1)),
    ...withoutLine(folder.metrics, measured, Math.max(saved, begun)),
  ];
}

/** What to do about lines that are missing or damaged from a step on, as a command. */
export async function wayForward(folder: RunFolder, from: number): Promise<string> {
  const { step: saved = 0 } = (await latestCheckpoint(folder).catch(() => undefined)) ?? {};
  if (saved >= from) {
    // to look at a run is no reason to begin it again
    const hasWayBack = (await checkpointSteps(folder)).some((step) => step < from);
    return hasWayBack ? wayBack(folder, from) : "take it from a copy of the run: no checkpoint is before it";
  }
  return `the run writes it anew when it goes on: mulligan train --output-dir ${shellWord(folder.dir)} --resume`;
}

/** Lines by step, in the order of the file; undefined where there is none. */
type Steps = ReadonlyMap<number, number>;

async function linesOfSteps(path: string): Promise<Steps | undefined> {
  if (!existsSync(path)) return undefined;
  const lines = new Map<number, number>();
  for await (const { step } of lineHeads(path)) {
    if (step !== undefined) lines.set(step, (lines.get(step) ?? 0) + 1);
  }
  return lines;
}

/** How many groups each step sampled, as its metrics say. */
async function groupsOfSteps(path: string): Promise<Steps> {
  const groups = new Map<number, number>();
  if (!existsSync(path)) return groups;
  for await (const { text } of streamLines(path)) {
    const { step } = headOf(text);
    if (step !== undefined) groups.set(step, groupsIn(text));
  }
  return groups;
}

/** A damaged line tells of none; whoever reads it names it. */
function groupsIn(text: string): number {
  try {
    const metrics = Object.entries(StepLine.parse(JSON.parse(text)));
    return metrics.reduce((sum, [name, value]) => sum + (name.startsWith("groups/") ? (value ?? 0) : 0), 0);
  } catch {
    return 0;
  }
}

const lastOf = (steps: Steps | undefined) => Math.max(0, [...(steps?.keys() ?? [])].at(-1) ?? 0);

function withoutLine(path: string, lines: Steps | undefined, upTo: number): ShortLog[] {
  if (!lines) return [];
  let from = lines.keys().next().value ?? 1;
  while (lines.has(from)) from++;
  if (from > upTo) return [];
  return [{ path, from, problem: `must have a line for each step up to ${upTo}, got none of step ${from}` }];
}

function withoutGroups(
  path: string,
  { traced, groups, saved }: { traced: Steps | undefined; groups: Steps; saved: number },
): ShortLog[] {
  const [first] = traced?.keys() ?? [];
  if (!traced || first === undefined) return [];
  const rule = `must have every group of the steps up to ${Math.max(saved, lastOf(groups))}`;
  for (const [step, all] of groups) {
    const there = traced.get(step) ?? 0;
    if (step < first || there >= all) continue;
    return [{ path, from: step, problem: `${rule}, got ${there} of the ${all} of step ${step}` }];
  }
  const last = lastOf(traced);
  // where metrics tell, a dropped step may have sampled no group; where they are cut, too, only the checkpoint tells
  if (lastOf(groups) >= saved || last >= saved) return [];
  return [{ path, from: last + 1, problem: `${rule}, got none after step ${last}` }];
}
