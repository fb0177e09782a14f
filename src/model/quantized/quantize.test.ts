/** How far integers are from what they stand for. */
import { describe, expect, test } from "vitest";
import { createRng } from "../../core/rng.ts";
import { dequantize, quantize } from "./quantize.ts";

const INPUTS = 96;
const OUTPUTS = 130;

/** Rows of very different sizes, with one outlier in each: N(0, σ²), σ from 0.01 up. */
function roughMatrix(seed: number): Float32Array {
  const { normal } = createRng(seed);
  return Float32Array.from({ length: INPUTS * OUTPUTS }, (_, i) => {
    const row = Math.floor(i / INPUTS);
    return 0.01 * (1 + row) * normal() * (i % INPUTS === row % INPUTS ? 5 : 1);
  });
}

const largest = (values: Float32Array) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
const rows = (values: Float32Array) =>
  Array.from({ length: values.length / INPUTS }, (_, o) => values.subarray(o * INPUTS, (o + 1) * INPUTS));

test("with 8 bits no weight moves by more than half a unit: its row's largest / 254", () => {
  const weights = roughMatrix(1);
  const back = rows(dequantize(quantize(weights, INPUTS, 8)));
  rows(weights).forEach((row, o) => {
    const bound = (largest(row) / 254) * (1 + 1e-5);
    row.forEach((weight, i) => void expect(Math.abs(back[o]![i]! - weight)).toBeLessThanOrEqual(bound));
  });
});

test("with 4 bits a block's squared errors are at most those of the multiplier that cuts nothing off", () => {
  const weights = roughMatrix(2);
  const back = rows(dequantize(quantize(weights, INPUTS, 4)));
  rows(weights).forEach((row, o) => {
    const unit = largest(row) / 126;
    for (let start = 0; start < INPUTS; start += 32) {
      const block = row.subarray(start, start + 32);
      const step = unit * Math.ceil((largest(block) / (7 * unit)) * (1 - 1e-6));
      const error = block.reduce((sum, weight, i) => sum + (back[o]![start + i]! - weight) ** 2, 0);
      // each is within half a step
      expect(error).toBeLessThanOrEqual(32 * (step / 2) ** 2 * (1 + 1e-4));
    }
  });
});

test("of normal weights 8 bits lose under 1 %, 4 bits about 9 % (root mean square)", () => {
  const { normal } = createRng(3);
  const weights = Float32Array.from({ length: 1024 * 32 }, normal);
  const loss = (bits: 4 | 8) => {
    const back = dequantize(quantize(weights, 1024, bits));
    return Math.sqrt(weights.reduce((sum, weight, i) => sum + (back[i]! - weight) ** 2, 0) / weights.length);
  };
  expect(loss(8)).toBeLessThan(0.01);
  expect(loss(4)).toBeGreaterThan(0.07);
  expect(loss(4)).toBeLessThan(0.1);
});

describe.each([8, 4] as const)("with %i bits", (bits) => {
  test("what is a multiple of the unit already stays as it is", () => {
    // 126 or 127 units at most; multiples of 18 are what a block with the largest multiplier can say
    const step = bits === 8 ? 1 : 18;
    const most = bits === 8 ? 127 : 7;
    // every row has the largest, which its unit follows from
    const whole = (i: number) => (i % 64 === 0 ? most : (i % (2 * most + 1)) - most);
    const weights = Float32Array.from({ length: 64 * 3 }, (_, i) => 0.25 * step * whole(i));
    expect(dequantize(quantize(weights, 64, bits))).toEqual(weights);
  });

  test("zeros stay zeros", () => {
    const weights = new Float32Array(64 * 3);
    weights[70] = 0.5;
    const back = dequantize(quantize(weights, 64, bits));
    back.forEach((weight, i) => void expect(weight).toBeCloseTo(weights[i]!, 6));
  });
});
