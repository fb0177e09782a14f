/** A run's planned memory as people read it, against what is free. */

import { MulliganError } from "../../core/errors.ts";
import { freeMemory } from "../../core/free-memory.ts";
import type { MemoryPlan } from "../../engine/index.ts";
import type { MulliganConfig } from "../../train/config.ts";
import { planRun, type RunMemory, requireMemory, showBytes } from "../../train/memory.ts";
import type { Prepared } from "../../train/setup.ts";
import type { CliContext } from "../context.ts";

/** Plans a run. Throws `MulliganError("engine")` when it would not fit, unless the settings ask for a warning. */
export async function checkMemory(
  config: MulliganConfig,
  prepared: Prepared,
  { stderr }: Pick<CliContext, "stderr">,
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

/** The peak, and below it the parts, the always held ones first. */
export function renderPlan({ parts, peak }: MemoryPlan, free: number): string {
  const shown = parts.map(({ name, bytes, when }) => ({
    name: when === "always" ? name : `${name} (while ${when})`,
    bytes,
  }));
  return renderUse("memory", peak, free, shown);
}

/** Bytes needed of those that are free, and below the parts that they are made of. */
export function renderUse(
  what: string,
  needed: number,
  free: number,
  parts: readonly { name: string; bytes: number }[],
): string {
  return [
    `${what}: about ${showBytes(needed)} at the most, of ${showBytes(free)} free`,
    ...parts
      .filter(({ bytes }) => bytes > 0)
      .map(({ name, bytes }) => `${showBytes(bytes).padStart(10)}  ${name}`),
  ].join("\n");
}
