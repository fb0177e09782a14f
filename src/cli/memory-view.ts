/** A run's planned memory as people read it, against what is free. */

import { MulliganError } from "../core/errors.ts";
import { freeMemory } from "../core/free-memory.ts";
import type { MemoryPlan } from "../engine/index.ts";
import type { MulliganConfig } from "../train/config.ts";
import { planRun, type RunMemory, requireMemory, showBytes } from "../train/memory.ts";
import type { CliContext } from "./context.ts";
import { downloadOptions } from "./download-view.ts";

type Output = Pick<CliContext, "stderr" | "signal">;

/** Plans a run. Throws `MulliganError("engine")` when it would not fit, unless the settings ask for a warning. */
export async function checkMemory(config: MulliganConfig, output: Output): Promise<RunMemory> {
  const { onHubEvent: onEvent, signal } = downloadOptions(output);
  const memory = await planRun(config, { onEvent, signal });
  try {
    requireMemory(memory, freeMemory(), config);
  } catch (error) {
    if (config.memoryCheck === "refuse" || !(error instanceof MulliganError)) throw error;
    output.stderr.write(`warning: ${error.message}\n`);
  }
  return memory;
}

/** The plan of a dry run, which fetches nothing; why there is none, where there is none. */
export async function showPlan(config: MulliganConfig, { stderr, signal }: Output): Promise<void> {
  try {
    const memory = await planRun(config, { signal, env: { ...process.env, HF_HUB_OFFLINE: "1" } });
    const free = freeMemory();
    stderr.write(`${renderPlan(memory.plan, free)}\n`);
    requireMemory(memory, free, config);
  } catch (error) {
    if (!(error instanceof MulliganError)) throw error;
    stderr.write(`${error.message}\n${error.hint ? `hint: ${error.hint}\n` : ""}`);
  }
}

/** The peak, and below it the parts, the always held ones first. */
export function renderPlan({ parts, peak }: MemoryPlan, free: number): string {
  const shown = parts.filter(({ bytes }) => bytes > 0);
  return [
    `memory: about ${showBytes(peak)} at the most, of ${showBytes(free)} free`,
    ...shown.map(({ name, bytes, when }) => {
      const note = when === "always" ? "" : ` (while ${when})`;
      return `${showBytes(bytes).padStart(10)}  ${name}${note}`;
    }),
  ].join("\n");
}
