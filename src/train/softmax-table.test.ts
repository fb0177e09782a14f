import { describe, expect, test } from "vitest";
import type { Datum } from "../core/datum.ts";
import type { Loss } from "../engine/contract.ts";
import { createSoftmaxTable } from "./softmax-table.test.kit.ts";

const start = (prefix: readonly number[]) => [0.3, -0.2, prefix.length / 10, 0.5];
const adam = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, gradClipNorm: 0 };
const datum: Datum = {
  tokens: Int32Array.of(1, 2, 3),
  targets: Int32Array.of(2, 3, 0),
  weights: Float32Array.of(0.5, 0, 2),
  logprobs: Float32Array.of(-1.2, -1.5, -1.0),
  advantages: Float32Array.of(0.7, 0, -0.4),
  referenceLogprobs: Float32Array.of(-1, -2, -1.5),
  klWeights: Float32Array.of(0.3, 0, 0.2),
};

describe("the table's gradients", () => {
  test.each<Loss>([
    { name: "cross_entropy" },
    { name: "importance_sampling", temperature: 0.7 },
    { name: "ppo", clipLow: 0.8, clipHigh: 1.2, temperature: 1.3, kl: "k3" },
    { name: "ppo", clipLow: 0.8, clipHigh: 1.2, kl: "k2" },
    { name: "ppo", clipLow: 0.01, clipHigh: 9, kl: "k1" },
  ])("are those of central differences: %o", async (loss) => {
    const lossAt = async (logit: number, shift: number) => {
      const table = createSoftmaxTable(4, start);
      table.logitsAfter([1])[logit]! += shift;
      return (await table.forwardBackward([datum], loss)).metrics["loss:sum"]!;
    };
    const differences: number[] = [];
    for (let j = 0; j < 4; j++) {
      differences.push(((await lossAt(j, 1e-5)) - (await lossAt(j, -1e-5))) / 2e-5);
    }
    // plain Adam without momentum or scale keeps only the sign, so read the gradient off a huge eps: step ≈ lr·g/eps
    const table = createSoftmaxTable(4, start);
    await table.forwardBackward([datum], loss);
    const eps = 1e6;
    await table.optimStep({ ...adam, learningRate: eps, eps });
    const gradient = table.logitsAfter([1]).map((logit, j) => start([1])[j]! - logit);
    for (const [j, difference] of differences.entries()) expect(gradient[j]).toBeCloseTo(difference, 5);
  });

  test("leave every prefix without weight untouched", async () => {
    const table = createSoftmaxTable(4, start);
    await table.forwardBackward([datum], { name: "ppo", clipLow: 0.8, clipHigh: 1.2, kl: "k3" });
    await table.optimStep(adam);
    expect(table.logitsAfter([1, 2])).toEqual(start([1, 2]));
    expect(table.logitsAfter([1, 2, 3])).not.toEqual(start([1, 2, 3]));
  });

  test("sampling and training agree on every log-probability", async () => {
    const table = createSoftmaxTable(4, start);
    const params = { maxTokens: 3, temperature: 0.8, topP: 1, topK: 0, stop: [] };
    const [sample] = await table.sample([{ prompt: [1], seed: 9 }], params);
    const targets = sample!.tokens;
    const tokens = Int32Array.of(1, ...targets.slice(0, 2));
    const [logprobs] = await table.forward([{ tokens, targets }], { temperature: 0.8 });
    expect(logprobs).toEqual(sample!.logprobs);
  });
});
