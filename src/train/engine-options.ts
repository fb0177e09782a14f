/** What a configuration asks of the engine: how it computes, and from which weights. Opens nothing. */
import { resolve } from "node:path";
import { type AdapterSource, isAdapterFolder, type LocalEngineOptions } from "../engine/index.ts";
import type { MulliganConfig } from "./config.ts";

/** How the engine computes. */
export function engineOptions(
  settings: MulliganConfig,
  adapter: AdapterSource | undefined,
): LocalEngineOptions {
  const { threads, device, profile, quantization, maxTokensPerRun, gradientCheckpointing } = settings;
  return {
    ...{ threads, device, profile, maxTokensPerRun, gradientCheckpointing },
    reference: settings.beta > 0, // a copy of all that learns, for nothing but KL terms
    ...(adapter !== undefined && { adapter }),
    ...(quantization !== "none" && { quantization }),
  };
}

/** Where the engine takes its weights from, and what learns when they do not. */
export function weightsOf(
  settings: MulliganConfig,
  model: string,
  checkpoint: string | undefined,
): { weights: string; adapter?: AdapterSource } {
  if (checkpoint !== undefined) {
    return isAdapterFolder(checkpoint) ? { weights: model, adapter: checkpoint } : { weights: checkpoint };
  }
  const { adapter, loraR: r, loraAlpha: alpha, useRslora, loraTargetModules, seed } = settings;
  if (adapter !== "") return { weights: model, adapter: resolve(adapter) };
  if (r === 0) return { weights: model };
  const names = loraTargetModules.split(",").map((name) => name.trim());
  const targetModules = loraTargetModules === "all-linear" ? loraTargetModules : names;
  return { weights: model, adapter: { r, alpha, useRslora, targetModules, seed } };
}
