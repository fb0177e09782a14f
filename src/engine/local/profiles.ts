/** Adds up what replicas measured of the same graphs. */
import type { EngineProfile, GraphTime, OpTime } from "../../core/profile.ts";

/** Graphs and their ops, the longest first. */
export function mergeProfiles(profiles: readonly EngineProfile[]): EngineProfile {
  const graphs = new Map<string, GraphTime>();
  for (const { graph, runs, seconds, ops } of profiles.flat()) {
    const sum = graphs.get(graph);
    graphs.set(graph, {
      graph,
      runs: runs + (sum?.runs ?? 0),
      seconds: seconds + (sum?.seconds ?? 0),
      ops: mergeOps([...ops, ...(sum?.ops ?? [])]),
    });
  }
  return [...graphs.values()].sort((a, b) => b.seconds - a.seconds);
}

function mergeOps(times: readonly OpTime[]): OpTime[] {
  const ops = new Map<string, OpTime>();
  for (const { op, calls, seconds } of times) {
    const sum = ops.get(op);
    ops.set(op, { op, calls: calls + (sum?.calls ?? 0), seconds: seconds + (sum?.seconds ?? 0) });
  }
  return [...ops.values()].sort((a, b) => b.seconds - a.seconds);
}
