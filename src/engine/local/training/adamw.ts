/** AdamW (Loshchilov & Hutter 2019, as in PyTorch) over one flat buffer, and what the norm for clipping is made of. */
import { MulliganError } from "../../../core/errors.ts";
import type { AdamParams } from "../../contract.ts";

export interface AdamState {
  /** Steps taken. */
  step: number;
  /** First and second moments, laid out as the parameters. */
  m: Float32Array;
  v: Float32Array;
}

export function createAdamState(size: number): AdamState {
  return { step: 0, m: new Float32Array(size), v: new Float32Array(size) };
}

/** Summed in float64. */
export function sumOfSquares(gradient: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  return sum;
}

/** A step along a gradient that is no number would leave no weight. `where`: a parameter that has it. */
export function nonFiniteGradient(gradNorm: number, where: string | undefined): MulliganError {
  const rule = `optimStep: the gradient's norm must be a finite number, got ${gradNorm}`;
  return new MulliganError("nonfinite", where === undefined ? rule : `${rule}, first in ${where}`, {
    hint: "the step was not taken; lower learningRate and resume from the last checkpoint",
  });
}

/**
 * One step in place, on ranges that share a decay setting; `gradNorm` is the norm of the whole gradient.
 * m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← p(1 − lr·decay) − lr·m̂/(√v̂ + eps).
 */
export function adamStep(
  parameters: Float32Array,
  gradient: Float32Array,
  state: AdamState,
  ranges: readonly { start: number; end: number; decay: boolean }[],
  params: AdamParams,
  gradNorm: number,
): void {
  const { learningRate, beta1, beta2, eps, weightDecay, gradClipNorm } = params;
  const clip = gradClipNorm > 0 && gradNorm > gradClipNorm ? gradClipNorm / gradNorm : 1;
  state.step++;
  const stepSize = learningRate / (1 - beta1 ** state.step);
  const vScale = 1 / Math.sqrt(1 - beta2 ** state.step);
  const { m, v } = state;
  for (const { start, end, decay } of ranges) {
    const keep = decay ? 1 - learningRate * weightDecay : 1;
    for (let i = start; i < end; i++) {
      const g = gradient[i]! * clip;
      const mi = beta1 * m[i]! + (1 - beta1) * g;
      const vi = beta2 * v[i]! + (1 - beta2) * g * g;
      m[i] = mi;
      v[i] = vi;
      parameters[i] = parameters[i]! * keep - (stepSize * mi) / (Math.sqrt(vi) * vScale + eps);
    }
  }
}
