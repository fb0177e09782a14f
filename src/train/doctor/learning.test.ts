/** The toy world's engine samples what it trains on and learns; each way in which an engine would not is found. */
import { describe, expect, test } from "vitest";
import type { Engine } from "../../engine/contract.ts";
import { toySetup } from "../toy.test.kit.ts";
import { checkAgreement, checkStep } from "./learning.ts";

const prompts = [[10], [11], [12]];
const plain = { temperature: 1, quantization: "none" } as const;

describe("sampler and trainer", () => {
  const agreement = (changes: Partial<Engine> = {}, config: Parameters<typeof checkAgreement>[3] = plain) =>
    checkAgreement({ ...toySetup().engine, ...changes }, prompts, [], config);
  /** Log-probabilities that are wrong by so much. */
  const wrongBy = (difference: number): Partial<Engine> => {
    const { engine } = toySetup();
    return {
      sample: async (requests, params) => {
        const samples = await engine.sample(requests, params);
        return samples.map((one) => ({ ...one, logprobs: one.logprobs.map((q) => q + difference) }));
      },
    };
  };

  test("agree, over every sampled token and at the temperature of the run", async () => {
    for (const temperature of [1, 0.5]) {
      const finding = await agreement({}, { ...plain, temperature });
      expect(finding).toMatchObject({
        status: "ok",
        found: expect.stringMatching(/^log-probabilities of 48 tokens/),
      });
    }
  });

  test("that differ by more than rounding fail; integers may differ by more", async () => {
    expect(await agreement(wrongBy(1e-3))).toMatchObject({
      status: "failed",
      found:
        "log-probabilities of 48 tokens differ by at most 1.0e-3, 1.0e-3 on average; only up to 1.0e-4 is rounding",
      advice: expect.stringContaining("wrong ratios"),
    });
    expect((await agreement(wrongBy(1e-3), { ...plain, quantization: "int8" })).status).toBe("ok");
    expect((await agreement(wrongBy(2e-2), { ...plain, quantization: "int4" })).status).toBe("failed");
    expect((await agreement(wrongBy(Number.NaN))).status).toBe("failed");
  });
});

describe("a training step", () => {
  const step = (overrides: Parameters<typeof toySetup>[0] = {}, changes: Partial<Engine> = {}) => {
    const { policy, task, config } = toySetup(overrides);
    const problems = [0, 1].map((i) => ({ id: `p${i}`, row: `p${i}` }));
    let time = 0;
    const clock = () => 1000 * time++;
    return checkStep({ ...policy, engine: { ...policy.engine, ...changes } }, task, problems, config, clock);
  };

  test.each([
    {},
    { learnFrom: "answer" },
    { learnFrom: "reflection+retry", beta: 0.1 },
    { reward: "random", dynamicSampling: true, maskTruncatedCompletions: true, gradientAccumulationSteps: 3 },
  ] as const)("of %j has a gradient, whatever the verdicts are", async (overrides) => {
    expect(await step(overrides)).toMatchObject({
      status: "ok",
      found: expect.stringMatching(/^4 sequences, \d+ tokens sampled, in 1\.0 s; gradient norm [\d.]+$/),
    });
  });

  test("that gives no number fails", async () => {
    const forwardBackward: Engine["forwardBackward"] = async (data) => ({
      logprobs: data.map(({ tokens }) => new Float32Array(tokens.length)),
      metrics: { "loss:sum": Number.NaN },
    });
    expect(await step({}, { forwardBackward })).toMatchObject({
      status: "failed",
      found: expect.stringContaining("the loss must be a finite number, got NaN"),
    });
  });

  test("that would change nothing is warned of", async () => {
    expect(await step({}, { optimStep: async () => ({ gradNorm: 0 }) })).toMatchObject({
      status: "warning",
      found: expect.stringMatching(/the gradient is 0$/),
    });
  });
});
