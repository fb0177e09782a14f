/**
 * How layers differ from each other: which look through a window, and which do not rotate. Read from config.json; where
 * transformers does not read a field for a family, the field may not say otherwise.
 */
import type { Family } from "./families.ts";
import { type PublishedConfig, show, type Wrong } from "./published-config.ts";

/** Layers in which a token sees `size` positions, its own the last of them. */
export interface Window {
  size: number;
  layers: readonly number[];
}

const layerIndices = ({ num_hidden_layers: layers }: PublishedConfig) =>
  Array.from({ length: layers }, (_, layer) => layer);

/** In `no_rope_layers` 0 stands for a layer without rotation; without the list it is the last of every so many. */
export function unrotatedOf(
  file: PublishedConfig,
  { architecture, windowed }: Family,
  wrong: Wrong,
): number[] {
  const { num_hidden_layers: layers, no_rope_layers: rotated, no_rope_layer_interval: interval } = file;
  if (rotated && rotated.length < layers) {
    throw wrong(`no_rope_layers must have one entry per layer (${layers}), got ${rotated.length}`);
  }
  const unrotated = layerIndices(file).filter((layer) =>
    rotated ? rotated[layer] === 0 : interval && (layer + 1) % interval === 0,
  );
  if (unrotated.length > 0 && windowed !== "unrotated") {
    const field = rotated ? "no_rope_layers" : "no_rope_layer_interval";
    throw wrong(`${field} must leave every layer its positions: ${architecture} does not read it`);
  }
  return unrotated;
}

/** Null when no layer's window hides anything. */
export function windowOf(
  file: PublishedConfig,
  family: Family,
  { contextLength, unrotatedLayers }: { contextLength: number; unrotatedLayers: readonly number[] },
  wrong: Wrong,
): Window | null {
  const { sliding_window: size, use_sliding_window: isUsed, layer_types: types } = file;
  const all = layerIndices(file);
  if (types && types.length !== all.length) {
    throw wrong(`layer_types must have one entry per layer (${all.length}), got ${types.length}`);
  }
  const listed = types && all.filter((layer) => types[layer] === "sliding_attention");
  if (listed?.length && !size) {
    throw wrong(`sliding_window must be a number for layer_types with sliding_attention, got ${show(size)}`);
  }
  if (!size || size >= contextLength) return null;
  const implied = {
    none: () => [],
    all: () => all,
    "from max_window_layers": () => all.filter((layer) => layer >= (file.max_window_layers ?? 0)),
    unrotated: () => unrotatedLayers,
  }[family.windowed]();

  let layers: readonly number[];
  if (family.windowed === "none" || family.windowed === "all") {
    const ignored = `${family.architecture} does not read it`;
    if (listed && listed.length !== implied.length) {
      throw wrong(`layer_types must agree with sliding_window ${size}: ${ignored}, got ${show(types)}`);
    }
    if (typeof isUsed === "boolean" && isUsed !== implied.length > 0) {
      throw wrong(`use_sliding_window must agree with sliding_window ${size}: ${ignored}, got ${isUsed}`);
    }
    layers = implied;
  } else {
    if (listed?.length && isUsed !== true) {
      throw wrong(
        `use_sliding_window must be true for layer_types with sliding_attention, got ${show(isUsed)}`,
      );
    }
    layers = isUsed === true ? (listed ?? implied) : [];
  }
  return layers.length > 0 ? { size, layers } : null;
}
