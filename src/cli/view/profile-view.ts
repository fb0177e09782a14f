/** The time by graph and kind of op as people read it. */
import type { EngineProfile, GraphTime } from "../../core/profile.ts";
import type { Setup } from "../../train/setup.ts";
import type { ProgressStream } from "./progress.ts";

/** Ops and graphs shown; the others are summed up. */
const OPS = 6;
const GRAPHS = 8;

/** Shows where the time went, if the settings ask for it, and closes. */
export async function closeSetup(setup: Setup, stderr: ProgressStream): Promise<void> {
  try {
    const profile = await setup.profile();
    if (profile) stderr.write(`\n${renderProfile(profile)}\n`);
  } finally {
    await setup.close();
  }
}

/** Graphs with the most time first, each with its ops: seconds of all threads together, and shares. */
export function renderProfile(profile: EngineProfile): string {
  const total = profile.reduce((sum, { seconds }) => sum + seconds, 0);
  const rest = profile.slice(GRAPHS);
  return [
    `time in graphs ${total.toFixed(1)} s, all threads together, measured with the profiler on`,
    ...profile.slice(0, GRAPHS).flatMap((graph) => renderGraph(graph, total)),
    ...(rest.length > 0 ? [`${rest.length} more graphs ${percent(sumOf(rest), total)}`] : []),
  ].join("\n");
}

function renderGraph({ graph, runs, seconds, ops }: GraphTime, total: number): string[] {
  const inOps = sumOf(ops);
  const rest = ops.slice(OPS);
  const shares = ops.slice(0, OPS).map(({ op, seconds: s }) => `${op} ${percent(s, inOps)}`);
  if (rest.length > 0) shares.push(`${rest.length} others ${percent(sumOf(rest), inOps)}`);
  return [
    `${percent(seconds, total).padStart(5)}  ${graph}: ${runs} runs, ${((1000 * seconds) / runs).toFixed(2)} ms each, ${percent(inOps, seconds)} in ops`,
    `       ${shares.join(", ")}`,
  ];
}

const sumOf = (times: readonly { seconds: number }[]) => times.reduce((sum, { seconds }) => sum + seconds, 0);
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(0)} %`;
