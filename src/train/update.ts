/**
 * Optimiser steps on one batch. Blind to the method: which tokens learn, and how strongly, is in the datums' weights.
 */
import type { Datum } from "../core/datum.ts";
import { MulliganError } from "../core/errors.ts";
import type { Engine, Loss } from "../engine/contract.ts";
import type { Batch } from "../learn/datums.ts";
import type { MetricName, Metrics } from "../learn/metric-names.ts";
import { policyMetrics, samplingMetrics } from "../learn/metrics.ts";
import { splitContiguous } from "../learn/normalization.ts";
import { learningRateAt } from "../learn/schedule.ts";
import type { MulliganConfig } from "./config.ts";

type Trainable = Pick<Engine, "forward" | "forwardBackward" | "optimStep">;

/**
 * `numIterations` optimiser steps on the batch; none when nothing is live. Metrics are means over the iterations, but
 * for the sampler's parity, which only holds before the first. Throws `MulliganError("engine")` when the loss is not
 * finite, before any weight changes.
 */
export async function updatePolicy(
  engine: Trainable,
  batch: Batch,
  config: MulliganConfig,
  step: number,
): Promise<Metrics> {
  const learningRate = learningRateAt(step - 1, config);
  if (batch.datums.length === 0) return { learning_rate: learningRate };
  const judged = { ...batch, datums: await withReference(engine, batch.datums, config) };
  const iterations: Metrics[] = [];
  let parity: Metrics = {};
  for (let iteration = 0; iteration < config.numIterations; iteration++) {
    const { logprobs, loss } = await accumulate(engine, judged.datums, config);
    if (iteration === 0) parity = samplingMetrics(judged, logprobs);
    requireFinite(loss, step);
    const { gradNorm } = await engine.optimStep({
      learningRate,
      beta1: config.adamBeta1,
      beta2: config.adamBeta2,
      eps: config.adamEpsilon,
      weightDecay: config.weightDecay,
      gradClipNorm: config.maxGradNorm,
    });
    iterations.push({ loss, grad_norm: gradNorm, ...policyMetrics(judged, logprobs, config) });
  }
  return { ...meanMetrics(iterations), ...parity, learning_rate: learningRate };
}

async function accumulate(engine: Trainable, datums: readonly Datum[], config: MulliganConfig) {
  const loss: Loss = {
    name: "ppo",
    clipLow: 1 - config.epsilon,
    clipHigh: 1 + config.epsilonHigh,
    temperature: config.temperature,
    ...(config.beta > 0 && { kl: config.klEstimator }),
  };
  const logprobs: Float32Array[] = [];
  let total = 0;
  // The same parts that bnpo is normalised over.
  for (const part of splitContiguous(datums, config.gradientAccumulationSteps)) {
    const result = await engine.forwardBackward(part, loss);
    logprobs.push(...result.logprobs);
    total += result.metrics["loss:sum"] ?? Number.NaN;
  }
  return { logprobs, loss: total };
}

/** With beta, each datum with ln p of its targets under the weights the run started from. */
async function withReference(
  engine: Trainable,
  datums: readonly Datum[],
  { beta, temperature }: MulliganConfig,
): Promise<Datum[]> {
  if (beta === 0) return [...datums];
  const reference = await engine.forward(datums, { temperature, weights: "reference" });
  return datums.map((datum, i) => ({ ...datum, referenceLogprobs: reference[i]! }));
}

function requireFinite(loss: number, step: number): void {
  if (Number.isFinite(loss)) return;
  throw new MulliganError("engine", `step ${step}: the loss must be a finite number, got ${loss}`, {
    hint: "lower learningRate or maxGradNorm and resume from the last checkpoint",
  });
}

function meanMetrics(list: readonly Metrics[]): Metrics {
  const names = Object.keys(list[0] ?? {}) as MetricName[];
  const mean = (name: MetricName) =>
    list.reduce((sum, metrics) => sum + (metrics[name] ?? 0), 0) / list.length;
  return Object.fromEntries(names.map((name) => [name, mean(name)]));
}
