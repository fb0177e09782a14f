/**
 * Sliding windows: in some layers a token sees only so many positions, its own the last of them. The one place that says
 * which these are, and which mask a layer is given. Knows positions only, not how masks lie in memory.
 */
import type { ModelConfig } from "./config.ts";

export type Windowed = Pick<ModelConfig, "layers" | "window">;

/** Names of graph inputs. */
export type MaskName = "mask" | "window_mask";

/** Scores of what may not be seen: e^(this − anything) is exactly 0. */
export const MASKED = -1e30;

/** The first position that a token sees; `window` = Infinity for all. Source: transformers, masking_utils.py. */
export function firstSeen(position: number, window: number): number {
  return Math.max(0, position - window + 1);
}

export function maskName({ window }: Windowed, layer: number): MaskName {
  return window?.layers.includes(layer) ? "window_mask" : "mask";
}

/** The masks that a model's layers use, with the window of each. */
export function maskWindows({ layers, window }: Windowed): [name: MaskName, window: number][] {
  if (!window) return [["mask", Infinity]];
  const windowed: [MaskName, number] = ["window_mask", window.size];
  return window.layers.length === layers ? [windowed] : [["mask", Infinity], windowed];
}
