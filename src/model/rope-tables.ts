/**
 * Cosines and sines of rotary position embedding by position, with Llama 3.1's frequency scaling. Queries have rows of
 * their own that also hold attention's factor 1/√D: scaling costs nothing there.
 */
import type { ModelConfig } from "./config.ts";

export interface RopeTables {
  cos: Float32Array;
  sin: Float32Array;
  /** [2 · positions + 1, headSize/2]: rows for keys, rows for queries, and one that turns nothing. */
  dims: [number, number];
  /** How many there are; the row of a query at position p is positions + p. */
  positions: number;
}

/** Angles are position · frequency, with float32 frequencies as transformers computes them. */
export function ropeTables(config: ModelConfig, positions: number): RopeTables {
  const half = config.headSize / 2;
  const frequencies = inverseFrequencies(config);
  const cos = new Float32Array((2 * positions + 1) * half).fill(1, 2 * positions * half);
  const sin = new Float32Array((2 * positions + 1) * half);
  const factor = 1 / Math.sqrt(config.headSize);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      const [key, query] = [position * half + i, (positions + position) * half + i];
      cos[key] = Math.cos(angle);
      sin[key] = Math.sin(angle);
      cos[query] = factor * Math.cos(angle);
      sin[query] = factor * Math.sin(angle);
    }
  }
  return { cos, sin, dims: [2 * positions + 1, half], positions };
}

/** theta^(−2i/D); "llama3" scaling divides low frequencies by `factor` and blends in between (modeling_rope_utils.py). */
export function inverseFrequencies({ headSize, rope }: ModelConfig): Float32Array {
  const frequencies = Float32Array.from(
    { length: headSize / 2 },
    (_, i) => rope.theta ** ((-2 * i) / headSize),
  );
  const { scaling } = rope;
  if (!scaling) return frequencies;
  const { factor, lowFreqFactor, highFreqFactor, originalContextLength } = scaling;
  return frequencies.map((frequency) => {
    const turns = (originalContextLength * frequency) / (2 * Math.PI);
    const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    const kept = Math.min(1, Math.max(0, smooth));
    return (kept + (1 - kept) / factor) * frequency;
  });
}

const cache = new WeakMap<ModelConfig, RopeTables>();

/** Tables with at least that many positions; computed anew only when they must grow, and then doubled. */
export function cachedRopeTables(config: ModelConfig, positions: number): RopeTables {
  let tables = cache.get(config);
  if (!tables || tables.positions < positions) {
    tables = ropeTables(config, 2 ** Math.ceil(Math.log2(Math.max(64, positions))));
    cache.set(config, tables);
  }
  return tables;
}
