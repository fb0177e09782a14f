/** How many copies of a model compute side by side. */
import { availableParallelism } from "node:os";
import type { LocalEngineOptions } from "../core.ts";

/** Parameters of a model that every thread has a copy of. Arbitrary: the largest measured has 5 M (docs/benchmarks.md). */
const REPLICATED_MODEL = 2 ** 24;

/** One per thread of a small model on the CPU, else one. */
export function replicasFor(
  parameters: number,
  { threads, device = "cpu" }: Pick<LocalEngineOptions, "threads" | "device">,
): number {
  return parameters <= REPLICATED_MODEL && device === "cpu" ? threads || availableParallelism() : 1;
}
