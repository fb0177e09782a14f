/** Adds up what replicas measured of the same graphs. */
import { addOp, type EngineProfile, longestFirst, type OpTime } from "../../../core/profile.ts";

/** Graphs and their ops, the longest first. */
export function mergeProfiles(profiles: readonly EngineProfile[]): EngineProfile {
  const graphs = new Map<string, { runs: number; seconds: number; ops: Map<string, OpTime> }>();
  for (const { graph, runs, seconds, ops } of profiles.flat()) {
    const sum = graphs.get(graph) ?? { runs: 0, seconds: 0, ops: new Map() };
    graphs.set(graph, { ...sum, runs: sum.runs + runs, seconds: sum.seconds + seconds });
    for (const time of ops) addOp(sum.ops, time);
  }
  return longestFirst(
    [...graphs].map(([graph, sum]) => ({ graph, ...sum, ops: longestFirst(sum.ops.values()) })),
  );
}
