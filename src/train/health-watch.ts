/** The health of a run under way. What a resumed run remembers is what its metrics so far say, so that nothing else is saved. */
import { existsSync } from "node:fs";
import { readJsonl } from "../core/jsonl.ts";
import { NO_HEALTH, observe, type Warning } from "../learn/health/health.ts";
import type { Metrics } from "../learn/metric-names.ts";
import type { RunFolder } from "../store/run-folder.ts";
import type { MulliganConfig } from "./config.ts";

/** For steps in order, from the one after `done`. Throws `MulliganError("data")` when the metrics so far are damaged. */
export async function createHealthWatch(
  config: MulliganConfig,
  folder: RunFolder | undefined,
  done: number,
): Promise<(metrics: Metrics) => Warning[]> {
  let health = NO_HEALTH;
  const watch = (metrics: Metrics) => {
    const observed = observe(health, metrics, config);
    health = observed.health;
    return observed.warnings;
  };
  if (done > 0 && folder && existsSync(folder.metrics)) {
    for (const { value } of await readJsonl(folder.metrics)) {
      const { step, ...metrics } = value as { step: number } & Metrics;
      if (step <= done) watch(metrics);
    }
  }
  return watch;
}
