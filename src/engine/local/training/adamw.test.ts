/**
 * AdamW against numbers of torch.optim.AdamW (torch 2.13, float32): lr 0.05, betas (0.9, 0.95), eps 1e-6, ten steps on
 * a decayed tensor of four and an undecayed one of two, gradients below, clip_grad_norm_ over both before each step.
 */
import { describe, expect, test } from "vitest";
import { llamaFields, tinyWeights } from "../tiny.test.kit.ts";
import { adamStep, createAdamState, sumOfSquares } from "./adamw.ts";

const start = [0.5, -1, 2, 0.25, 0.1, -0.2];
const ranges = [
  { start: 0, end: 4, decay: true },
  { start: 4, end: 6, decay: false },
];
const params = { learningRate: 0.05, beta1: 0.9, beta2: 0.95, eps: 1e-6, weightDecay: 0, gradClipNorm: 0 };
/** Multiples of 1/4 between -5/4 and 5/4. */
const gradientAt = (step: number) => Float32Array.from(start, (_, i) => (((7 * step + 3 * i) % 11) - 5) / 4);
const norms = [
  1.984313, 2.12132, 1.620185, 2.12132, 1.984313, 1.732051, 2.106537, 1.85405, 1.85405, 2.106537,
];

const unclipped = {
  m: [0.0390658341, -0.0940642729, -0.109086335, 0.0674456879, 0.0557499342, -0.0496123731],
  v: [0.267509043, 0.270598948, 0.21470423, 0.252497315, 0.276157588, 0.253952742],
};
const cases = [
  {
    name: "plain",
    change: {},
    parameters: [0.567926466, -1.02855992, 1.99006224, 0.171725675, 0.218766496, -0.0727301538],
    ...unclipped,
  },
  {
    name: "with weight decay",
    change: { weightDecay: 0.1 },
    parameters: [0.540181637, -0.979403496, 1.89394224, 0.162918448, 0.218766496, -0.0727301538],
    ...unclipped,
  },
  {
    name: "with weight decay and clipping",
    change: { weightDecay: 0.1, gradClipNorm: 1 },
    parameters: [0.565249264, -0.986659527, 1.86599243, 0.190471411, 0.232616872, -0.0959754735],
    m: [0.00299304491, -0.0393627547, -0.0448913425, 0.0220079012, 0.0181830879, -0.0110828523],
    v: [0.0685020238, 0.0642838478, 0.0627965555, 0.0757163763, 0.066548489, 0.0634153783],
  },
];

test.each(cases)("ten steps give torch's numbers: $name", ({ change, ...expected }) => {
  const parameters = Float32Array.from(start);
  const state = createAdamState(start.length);
  for (let step = 0; step < 10; step++) {
    const gradient = gradientAt(step);
    const norm = Math.sqrt(sumOfSquares(gradient));
    expect(norm).toBeCloseTo(norms[step]!, 5);
    adamStep(parameters, gradient, state, ranges, { ...params, ...change }, norm);
  }
  expect(state.step).toBe(10);
  const close = (got: Float32Array, numbers: number[]) =>
    got.forEach((value, i) => void expect(Math.abs(value - numbers[i]!)).toBeLessThan(1e-6));
  close(parameters, expected.parameters);
  close(state.m, expected.m);
  close(state.v, expected.v);
});

test("clipping scales the gradient to the largest norm, and leaves a smaller one alone", () => {
  const stepOf = (gradient: number[], gradClipNorm: number) => {
    const state = createAdamState(2);
    const flat = new Float32Array(2);
    const range = { start: 0, end: 2, decay: false };
    adamStep(flat, Float32Array.from(gradient), state, [range], { ...params, gradClipNorm }, 5);
    return Array.from(state.m);
  };
  // ‖(3, 4)‖ = 5, and m after one step is a tenth of the gradient.
  expect(stepOf([3, 4], 1)).toEqual([Math.fround(0.06), Math.fround(0.08)]);
  expect(stepOf([3, 4], 5)).toEqual(stepOf([3, 4], 0));
  expect(stepOf([3, 4], 6)).toEqual(stepOf([3, 4], 0));
});

test("the first step moves by the learning rate, however large or small the gradient", () => {
  for (const scale of [1e-3, 1, 1e3]) {
    const flat = Float32Array.of(1, 1);
    const gradient = Float32Array.of(scale, -scale);
    const range = { start: 0, end: 2, decay: true };
    adamStep(flat, gradient, createAdamState(2), [range], { ...params, eps: 1e-12 }, scale);
    expect(flat[0]).toBeCloseTo(0.95, 6);
    expect(flat[1]).toBeCloseTo(1.05, 6);
  }
});

test("the squares are summed in float64: four million small numbers are not lost", () => {
  expect(sumOfSquares(new Float32Array(1 << 22).fill(2 ** -11))).toBe(1);
});

describe("of a whole model with a gradient of 0", () => {
  const { parameters, flat } = tinyWeights(1, llamaFields);
  const decayed = Float32Array.from(flat);
  adamStep(
    decayed,
    new Float32Array(flat.length),
    createAdamState(flat.length),
    parameters.map(({ offset, size, decay }) => ({ start: offset, end: offset + size, decay })),
    { ...params, weightDecay: 0.1 },
    0,
  );

  test.each(parameters.map((parameter) => [parameter.name, parameter] as const))("%s", (name, parameter) => {
    const { offset, size } = parameter;
    const isMatrix = !/norm\.weight$|\.bias$/.test(name);
    // 1 − 0.05 · 0.1
    const keep = isMatrix ? 0.995 : 1;
    const expected = flat.slice(offset, offset + size).map((value) => value * keep);
    expect(decayed.slice(offset, offset + size)).toEqual(expected);
  });
});
