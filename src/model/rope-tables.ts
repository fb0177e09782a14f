/**
 * Cosines and sines of rotary position embedding by position, with the scaling that the model asks for. Queries have rows
 * of their own that also hold attention's factor 1/√D: scaling costs nothing there.
 */
import type { ModelConfig } from "./config.ts";
import type { Llama3Scaling, YarnScaling } from "./rope-scaling.ts";

export interface RopeTables {
  cos: Float32Array;
  sin: Float32Array;
  /** [2 · positions + 2, headSize/2]: rows for keys, rows for queries, and two that turn nothing. */
  dims: [number, number];
  /** How many there are; the row of a query at position p is positions + p. */
  positions: number;
  /** What turns nothing: keys and values as they are, and a query, which shrinks. */
  unturned: { key: number; query: number };
}

/** Angles are position · frequency, with float32 frequencies as transformers computes them. */
export function ropeTables(config: ModelConfig, positions: number): RopeTables {
  const half = config.headSize / 2;
  const frequencies = inverseFrequencies(config);
  const unturned = { key: 2 * positions, query: 2 * positions + 1 };
  const rows = 2 * positions + 2;
  const cos = new Float32Array(rows * half).fill(1, unturned.key * half);
  const sin = new Float32Array(rows * half);
  const shrink = 1 / Math.sqrt(config.headSize);
  cos.fill(shrink, unturned.query * half);
  const stretch = attentionFactor(config);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      const [key, query] = [position * half + i, (positions + position) * half + i];
      cos[key] = stretch * Math.cos(angle);
      sin[key] = stretch * Math.sin(angle);
      cos[query] = shrink * stretch * Math.cos(angle);
      sin[query] = shrink * stretch * Math.sin(angle);
    }
  }
  return { cos, sin, dims: [rows, half], positions, unturned };
}

/** What scales the cosines and sines of queries and of keys. */
function attentionFactor({ rope: { scaling } }: ModelConfig): number {
  return scaling && scaling.kind !== "llama3" ? scaling.attentionFactor : 1;
}

/** theta^(−2i/D), scaled. Source of the formulas: transformers, modeling_rope_utils.py. */
export function inverseFrequencies({ headSize, rope }: ModelConfig): Float32Array {
  const frequencies = Float32Array.from(
    { length: headSize / 2 },
    (_, i) => rope.theta ** ((-2 * i) / headSize),
  );
  const { scaling } = rope;
  switch (scaling?.kind) {
    case "llama3":
      return frequencies.map((frequency) => frequency * llama3Share(scaling, frequency));
    case "yarn":
      return frequencies.map((frequency, i) => frequency * yarnShare(scaling, rope.theta, headSize, i));
    case "longrope":
      return frequencies.map((frequency, i) => frequency / scaling.shortFactors[i]!);
    default:
      return frequencies;
  }
}

/** Full turns within the original length decide what is kept of a frequency; the rest is divided. */
function llama3Share(scaling: Llama3Scaling, frequency: number): number {
  const { factor, lowFreqFactor, highFreqFactor, originalContextLength } = scaling;
  const turns = (originalContextLength * frequency) / (2 * Math.PI);
  const kept = clamp((turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor));
  return kept + (1 - kept) / factor;
}

/** As llama3, but blended by index between those that make betaFast and betaSlow turns. */
function yarnShare(scaling: YarnScaling, theta: number, headSize: number, i: number): number {
  const { factor, betaFast, betaSlow, originalContextLength } = scaling;
  const indexOf = (turns: number) =>
    (headSize * Math.log(originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const first = Math.max(Math.floor(indexOf(betaFast)), 0);
  const last = Math.min(Math.ceil(indexOf(betaSlow)), headSize - 1);
  const kept = 1 - clamp((i - first) / (last === first ? 0.001 : last - first));
  return kept + (1 - kept) / factor;
}

const clamp = (x: number) => Math.min(1, Math.max(0, x));

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
