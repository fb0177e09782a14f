import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { estimateKl } from "../core/kl.ts";
import type { Completion } from "./completions.ts";
import { buildBatch } from "./datums.ts";
import { batchMetrics, policyMetrics, samplingMetrics } from "./metrics.ts";

const options = {
  scaleRewards: "none",
  lossType: "dapo",
  beta: 0,
  maxCompletionLength: 4,
  gradientAccumulationSteps: 1,
  maskTruncatedCompletions: false,
} as const;
const clip = { epsilon: 0.2, epsilonHigh: 0.3, klEstimator: "k3" } as const;

function completion(
  groupIndex: number,
  reward: number | null,
  logprobs: number[],
  truncated = false,
): Completion {
  const tokens = [9, ...logprobs.map((_, i) => i)];
  const learn = [{ start: 1, end: tokens.length, logprobs }];
  return { tokens, learn, reward, verifierReward: reward, groupIndex, truncated };
}

describe("batchMetrics", () => {
  test("describes rewards, groups, lengths and entropy over all completions", () => {
    const completions = [
      completion(0, 1, [-1]),
      completion(0, 0, [-2, -3]),
      completion(1, 0, [-1, -1, -1, -1], true),
      completion(1, 0, [-1]),
      completion(2, null, [-2, -2]),
      completion(2, 1, [-2, -2]),
    ];
    expect(batchMetrics(completions, buildBatch(completions, options))).toEqual({
      reward: 2 / 5,
      // std of [1, 0] is sqrt(1/2), of [0, 0] 0; the unscored group has none
      reward_std: Math.SQRT1_2 / 2,
      frac_reward_zero_std: 1 / 2,
      "rewards/verifier/mean": 2 / 5,
      "groups/live": 1,
      "groups/all_failed": 1,
      "groups/all_passed": 0,
      "groups/tied": 0,
      "groups/unscored": 1,
      "completions/mean_length": 2,
      "completions/min_length": 1,
      "completions/max_length": 4,
      "completions/clipped_ratio": 1 / 6,
      "completions/mean_terminated_length": 8 / 5,
      // only the last group says the same twice
      "completions/distinct_ratio": (1 + 1 + 1 / 2) / 3,
      "completions/unscored_ratio": 1 / 6,
      entropy: 19 / 12,
    });
  });

  test("leaves out means over nothing", () => {
    const completions = [completion(0, null, [-1], true)];
    const metrics = batchMetrics(completions, buildBatch(completions, options));
    expect(metrics).not.toHaveProperty("reward");
    expect(metrics).not.toHaveProperty("frac_reward_zero_std");
    expect(metrics).not.toHaveProperty("completions/mean_terminated_length");
    expect(metrics["groups/unscored"]).toBe(1);
  });
});

const pair = [completion(0, 1, [-1, -1]), completion(0, 0, [-1, -1])];

describe("samplingMetrics", () => {
  test("compares learnt tokens only, and takes the largest difference of either sign", () => {
    const longer = pair.map((c) => ({
      ...c,
      tokens: [7, ...c.tokens],
      learn: c.learn.map((span) => ({ ...span, start: 2, end: 4 })),
    }));
    const batch = buildBatch(longer, options);
    const logprobs = [Float32Array.of(-50, -1, -1.25), Float32Array.of(-50, -0.5, -1)];
    expect(samplingMetrics(batch, logprobs)).toEqual({
      "sampling/logprob_difference_max": 0.5,
      "sampling/logprob_difference_mean": 0.75 / 4,
    });
  });

  test("shows a trainer that gives NaN", () => {
    const logprobs = [Float32Array.of(-1, Number.NaN), Float32Array.of(-1, -1)];
    expect(samplingMetrics(buildBatch(pair, options), logprobs)["sampling/logprob_difference_max"]).toBeNaN();
  });

  test("is empty for an empty batch", () => {
    expect(samplingMetrics(buildBatch([], options), [])).toEqual({});
  });
});

describe("policyMetrics", () => {
  test("counts a token as clipped only where the clip stops the gradient", () => {
    const batch = buildBatch(pair, options);
    const [lower, higher] = [-1 + Math.log(0.79), -1 + Math.log(1.31)];
    // advantage > 0: only the higher is clipped; advantage < 0: only the lower
    const logprobs = [Float32Array.of(lower, higher), Float32Array.of(lower, higher)];
    expect(policyMetrics(batch, logprobs, clip)).toEqual({
      "clip_ratio/low_mean": 1 / 4,
      "clip_ratio/high_mean": 1 / 4,
      "clip_ratio/region_mean": 1 / 2,
    });
  });

  test("averages the KL estimate over learnt tokens where the datums have a reference", () => {
    const batch = buildBatch(pair, { ...options, beta: 0.1 });
    for (const datum of batch.datums) datum.referenceLogprobs = Float32Array.of(-1, -2);
    const logprobs = [Float32Array.of(-1, -1), Float32Array.of(-1, -1)];
    // k3 of difference -1 is e^-1 + 1 - 1, of difference 0 it is 0
    expect(policyMetrics(batch, logprobs, clip).kl).toBeCloseTo(Math.exp(-1) / 2, 12);
    expect(policyMetrics(batch, logprobs, { ...clip, klEstimator: "k1" }).kl).toBeCloseTo(0.5, 12);
    expect(policyMetrics(batch, logprobs, { ...clip, klEstimator: "k2" }).kl).toBeCloseTo(0.25, 12);
  });

  test("for any pair of log-probabilities k3 is never negative, and zero where they agree", () => {
    const logprob = fc.double({ min: -30, max: 0, noNaN: true });
    fc.assert(
      fc.property(logprob, logprob, (p, reference) => {
        expect(estimateKl(p, reference, "k3")).toBeGreaterThanOrEqual(0);
        expect(estimateKl(p, p, "k3")).toBe(0);
      }),
    );
  });
});
