/** A run's planned memory as people read it, against what is free. */

import { MulliganError } from "../../core/errors.ts";
import { freeMemory } from "../../core/free-memory.ts";
import type { MemoryPlan } from "../../engine/index.ts";
import type { MulliganConfig } from "../../train/config.ts";
import { planRun, type RunMemory, requireMemory, showBytes } from "../../train/memory.ts";
import { type Prepared, prepareSetup } from "../../train/setup.ts";
import type { CliContext } from "../context.ts";

type Output = Pick<CliContext, "stderr" | "signal">;

/** Plans a run. Throws `MulliganError("engine")` when it would not fit, unless the settings ask for a warning. */
export async function checkMemory(
  config: MulliganConfig,
  prepared: Prepared,
  { stderr }: Pick<Output, "stderr">,
): Promise<RunMemory> {
  const memory = await planRun(config, prepared);
  try {
    requireMemory(memory, freeMemory(), config);
  } catch (error) {
    if (config.memoryCheck === "refuse" || !(error instanceof MulliganError)) throw error;
    stderr.write(`warning: ${error.message}\n`);
  }
  return memory;
}

/** The plan of a dry run, which fetches nothing; why there is none, where there is none. */
export async function showPlan(config: MulliganConfig, { stderr, signal }: Output): Promise<void> {
  const env = { ...process.env, HF_HUB_OFFLINE: "1" };
  try {
    const prepared = await prepareSetup(config, { splits: ["train"], signal, env });
    const memory = await planRun(config, prepared).finally(prepared.close);
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
