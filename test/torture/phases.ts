/** What a run was doing, told from the points that it reached (core/fault.ts). */
import { splitPoint } from "./victim.ts";

export const PHASES = ["collecting", "evaluating", "sampling", "verifying", "training", "saving"] as const;
export type Phase = (typeof PHASES)[number] | "starting";

const OF_POINTS: Readonly<Record<string, Phase>> = {
  collect: "collecting",
  evaluate: "evaluating",
  sample: "sampling",
  verify: "verifying",
  train: "training",
};

const OF_FILES: readonly [RegExp, Phase][] = [
  [/^(checkpoint-\d+|latest)/, "saving"],
  [/^(metrics|episodes|traces|timings)\.jsonl/, "training"],
  [/^(collecting|failures|collect)\.json|^refreshed/, "collecting"],
  [/^(test|validation|evaluations|results|report|model)/, "evaluating"],
];

/** The phase in which each point was reached. */
export function phasesOf(points: readonly string[]): Phase[] {
  let phase: Phase = "starting";
  return points.map((point) => {
    const [operation, file] = splitPoint(point);
    const own = OF_POINTS[operation] ?? OF_FILES.find(([pattern]) => pattern.test(file))?.[1];
    // logs are synced for the checkpoint that follows
    if (own !== undefined && !(phase === "saving" && operation === "fsync")) phase = own;
    return phase;
  });
}
