/**
 * A matrix as integers: every output's row has a unit of its own, w ≈ unit · q with q in −127…127 (absmax quantisation, as
 * LLM.int8, arXiv 2208.07339). With 4 bits q = multiplier · n: n in −7…7, and a small whole multiplier for each 32 inputs
 * (block scales that are quantised themselves, as QLoRA's, arXiv 2305.14314 §3), so that both are one kind of matrix to a graph.
 */
import { NIBBLE_BLOCK, NIBBLE_ZERO } from "../../graph/index.ts";

/** Names of their own for innermost loops: run from sources, an import is looked up at every use, which took most of the time. */
const [BLOCK, ZERO] = [NIBBLE_BLOCK, NIBBLE_ZERO];

export type QuantizedBits = 8 | 4;

/** Laid out as graph/ops/quantized.ts takes it. */
export interface QuantizedValues {
  bits: QuantizedBits;
  inputs: number;
  outputs: number;
  /** 8 bits: q. // [inputs, outputs] */
  values?: Int8Array;
  /** 4 bits: pairs of n + 8. // [inputs / 32, 16, outputs] */
  nibbles?: Uint8Array;
  /** 4 bits. // [inputs / 32, 1, outputs] */
  multipliers?: Int8Array;
  /** The units. // [outputs] */
  scales: Float32Array;
}

const LARGEST = { 8: 127, 4: 7 } as const;
const LARGEST_NIBBLE = LARGEST[4];
/** Smaller multipliers are not tried: they cut too much off. */
const SMALLEST_SHARE = 0.75;
/** The largest multiplier: 7 · 18 = 126 fits into 8 bits. */
const LARGEST_MULTIPLIER = 18;

/** Rows that are turned over together: inputs come after each other in a file, outputs in a graph. */
const ROWS = 64;

/** Of a matrix [outputs, inputs], as weights stand in files. With 4 bits `inputs` is a multiple of 32. */
export function quantize(weights: Float32Array, inputs: number, bits: QuantizedBits): QuantizedValues {
  const outputs = weights.length / inputs;
  const scales = new Float32Array(outputs);
  const fill = bits === 8 ? fillBytes : fillNibbles;
  const quantized: QuantizedValues = {
    bits,
    inputs,
    outputs,
    scales,
    ...emptyValues(bits, inputs * outputs),
  };
  for (let start = 0; start < outputs; start += ROWS) {
    fill(quantized, weights, start, Math.min(start + ROWS, outputs));
  }
  return quantized;
}

function emptyValues(bits: QuantizedBits, size: number): Partial<QuantizedValues> {
  if (bits === 8) return { values: new Int8Array(size) };
  return { nibbles: new Uint8Array(size / 2), multipliers: new Int8Array(size / BLOCK) };
}

function largestOf(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) {
    const size = Math.abs(values[i]!);
    if (size > largest) largest = size;
  }
  return largest;
}

/** A unit that is no 0: a row of zeros stays one. */
const unitOf = (largest: number, steps: number) => Math.fround(largest / steps) || 1;

function fillBytes(
  { inputs, outputs, scales, values }: QuantizedValues,
  weights: Float32Array,
  start: number,
  end: number,
): void {
  for (let o = start; o < end; o++) {
    scales[o] = unitOf(largestOf(weights, o * inputs, (o + 1) * inputs), LARGEST[8]);
  }
  for (let i = 0; i < inputs; i++) {
    for (let o = start; o < end; o++) {
      values![i * outputs + o] = Math.round(weights[o * inputs + i]! / scales[o]!);
    }
  }
}

function fillNibbles(
  { inputs, outputs, scales, nibbles, multipliers }: QuantizedValues,
  weights: Float32Array,
  start: number,
  end: number,
): void {
  for (let o = start; o < end; o++) {
    const row = o * inputs;
    const unit = unitOf(largestOf(weights, row, row + inputs), LARGEST[4] * LARGEST_MULTIPLIER);
    scales[o] = unit;
    for (let block = 0; block < inputs / BLOCK; block++) {
      const first = row + block * BLOCK;
      const multiplier = bestMultiplier(weights, first, unit);
      multipliers![block * outputs + o] = multiplier;
      const inverse = 1 / (unit * multiplier);
      for (let i = 0; i < BLOCK / 2; i++) {
        const low = ZERO + nearest(weights[first + i]! * inverse);
        const high = ZERO + nearest(weights[first + BLOCK / 2 + i]! * inverse);
        nibbles![(block * (BLOCK / 2) + i) * outputs + o] = low | (high << 4);
      }
    }
  }
}

/** The whole number in −7…7 that is nearest to a count of steps. */
function nearest(count: number): number {
  if (count > LARGEST_NIBBLE) return LARGEST_NIBBLE;
  if (count < -LARGEST_NIBBLE) return -LARGEST_NIBBLE;
  // several times as fast as Math.round: a double this large has no fraction
  return count + NO_FRACTION - NO_FRACTION;
}
const NO_FRACTION = 1.5 * 2 ** 52;

/** The multiplier that cuts nothing off, or one of the next smaller ones where the sum of squared errors is less. */
function bestMultiplier(weights: Float32Array, first: number, unit: number): number {
  const largest = largestOf(weights, first, first + BLOCK);
  // the row's unit is rounded: the block with the row's largest could need a little more than 18
  const whole = Math.min(LARGEST_MULTIPLIER, Math.max(1, Math.ceil(largest / (LARGEST[4] * unit))));
  let [best, least] = [whole, Infinity];
  for (let multiplier = whole; multiplier >= Math.max(1, SMALLEST_SHARE * whole); multiplier--) {
    const error = squaredError(weights, first, unit * multiplier);
    if (error < least) [best, least] = [multiplier, error];
  }
  return best;
}

function squaredError(weights: Float32Array, first: number, step: number): number {
  const inverse = 1 / step;
  let error = 0;
  for (let i = first; i < first + BLOCK; i++) {
    const weight = weights[i]! * inverse;
    const rest = weight - nearest(weight);
    error += rest * rest;
  }
  return error * step * step;
}

/** The matrix that a graph computes with. // [outputs, inputs] */
export function dequantize(quantized: QuantizedValues): Float32Array {
  const { inputs, outputs, scales } = quantized;
  const weights = new Float32Array(inputs * outputs);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) weights[o * inputs + i] = scales[o]! * integerAt(quantized, i, o);
  }
  return weights;
}

function integerAt({ outputs, values, nibbles, multipliers }: QuantizedValues, i: number, o: number): number {
  if (values) return values[i * outputs + o]!;
  const half = BLOCK / 2;
  const [block, place] = [Math.floor(i / BLOCK), i % BLOCK];
  const pair = nibbles![(block * half + (place % half)) * outputs + o]!;
  const nibble = place < half ? pair & 15 : pair >> 4;
  return multipliers![block * outputs + o]! * (nibble - ZERO);
}
