import { describe, expect, test } from "vitest";
import type { Datum } from "../core/datum.ts";
import { MulliganError } from "../core/errors.ts";
import type { AdamParams, Loss } from "../engine/contract.ts";
import type { Batch } from "../learn/datums.ts";
import { toyConfig } from "./toy.test.kit.ts";
import { updatePolicy } from "./update.ts";

/** An engine that only writes down what it is asked; its log-probability of every target is -1. */
function recordingEngine(loss = 0.5) {
  const log: string[] = [];
  const losses: Loss[] = [];
  const parts: Datum[][] = [];
  const adams: AdamParams[] = [];
  const minusOne = (data: readonly { targets: Int32Array }[]) =>
    data.map(({ targets }) => new Float32Array(targets.length).fill(-1));
  const engine = {
    forward: async (data: readonly Pick<Datum, "tokens" | "targets">[], options?: object) => {
      log.push(`forward ${JSON.stringify(options)}`);
      return minusOne(data);
    },
    forwardBackward: async (data: readonly Datum[], given: Loss) => {
      log.push(`forwardBackward ${data.length}`);
      losses.push(given);
      parts.push([...data]);
      return { logprobs: minusOne(data), metrics: { "loss:sum": loss } };
    },
    zeroGrad: async () => void log.push("zeroGrad"),
    optimStep: async (params: AdamParams) => {
      log.push("optimStep");
      adams.push(params);
      return { gradNorm: adams.length };
    },
  };
  return { engine, log, losses, parts, adams };
}

const datum = (): Datum => ({
  tokens: Int32Array.of(7, 8),
  targets: Int32Array.of(8, 9),
  logprobs: Float32Array.of(0, -1.25),
  advantages: Float32Array.of(0, 1),
  klWeights: Float32Array.of(0, 0.1),
});

function batchOf(count: number): Batch {
  const indices = Array.from({ length: count }, (_, i) => i);
  return {
    datums: indices.map(datum),
    live: indices,
    learnt: indices.map(() => [{ start: 1, end: 2 }]),
    advantages: indices.map(() => 1),
    groups: [],
  };
}

describe("updatePolicy", () => {
  test("takes numIterations steps, each on the whole batch in gradientAccumulationSteps parts", async () => {
    const { engine, log } = recordingEngine();
    const config = toyConfig({ numIterations: 2, gradientAccumulationSteps: 3 });
    await updatePolicy(engine, batchOf(5), config, 1);
    const iteration = ["forwardBackward 1", "forwardBackward 2", "forwardBackward 2", "optimStep"];
    expect(log).toEqual([...iteration, ...iteration]);
  });

  test("clips the ratio at 1 - epsilon and 1 + epsilonHigh, at the sampling temperature, without KL", async () => {
    const { engine, losses } = recordingEngine();
    const config = toyConfig({ epsilon: 0.25, epsilonHigh: 0.5, temperature: 0.8 });
    await updatePolicy(engine, batchOf(1), config, 1);
    expect(losses).toEqual([{ name: "ppo", clipLow: 0.75, clipHigh: 1.5, temperature: 0.8 }]);
  });

  test("asks for the reference once, before any update, when beta is not 0", async () => {
    const { engine, log, losses, parts } = recordingEngine();
    const config = toyConfig({ beta: 0.1, klEstimator: "k2", numIterations: 2 });
    const { metrics } = await updatePolicy(engine, batchOf(1), config, 1);
    expect(log[0]).toBe('forward {"temperature":1,"weights":"reference"}');
    expect(log.filter((call) => call.startsWith("forward "))).toHaveLength(1);
    expect(losses[0]!.kl).toBe("k2");
    expect(parts[0]![0]!.referenceLogprobs).toEqual(Float32Array.of(-1, -1));
    expect(metrics.kl).toBe(0);
  });

  test("hands the schedule's rate and Adam's settings to every optimiser step", async () => {
    const { engine, adams } = recordingEngine();
    const config = toyConfig({
      learningRate: 0.4,
      lrSchedulerType: "linear",
      maxSteps: 4,
      weightDecay: 0.01,
    });
    // third of four steps: 0.4 · (1 - 2/4)
    const { metrics } = await updatePolicy(engine, batchOf(1), config, 3);
    expect(metrics.learning_rate).toBeCloseTo(0.2);
    expect(adams).toEqual([
      { learningRate: 0.2, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, gradClipNorm: 1 },
    ]);
  });

  test("reports means over iterations, and the sampler's parity of the first", async () => {
    const { engine } = recordingEngine();
    const config = toyConfig({ numIterations: 2, gradientAccumulationSteps: 2 });
    const { metrics } = await updatePolicy(engine, batchOf(2), config, 1);
    // each part's loss is 0.5; norms are 1 and 2; |-1 - -1.25| on learnt targets only; e^0.25 > 1.2 clips all
    expect(metrics).toMatchObject({
      loss: 1,
      grad_norm: 1.5,
      "sampling/logprob_difference_max": 0.25,
      "clip_ratio/high_mean": 1,
      "clip_ratio/low_mean": 0,
    });
  });

  test("touches nothing when no group is live", async () => {
    const { engine, log } = recordingEngine();
    expect(await updatePolicy(engine, batchOf(0), toyConfig(), 1)).toEqual({
      metrics: { learning_rate: 0.1 },
    });
    expect(log).toEqual([]);
  });

  test("takes no step and drops the gradient when the loss is not a number, and names the first target that is none", async () => {
    const { engine, log } = recordingEngine(Number.NaN);
    const logprobs = [Float32Array.of(Number.NaN, -1), Float32Array.of(-1, Number.NEGATIVE_INFINITY)];
    const broken = {
      ...engine,
      forwardBackward: async (data: readonly Datum[], loss: Loss) => ({
        ...(await engine.forwardBackward(data, loss)),
        logprobs,
      }),
    };
    const updated = await updatePolicy(broken, batchOf(2), toyConfig({ numIterations: 3 }), 5);
    // position 0 learns nothing: NaN is its right there
    expect(updated).toEqual({
      metrics: { learning_rate: 0.1 },
      nonFinite: {
        reason: "the loss must be a finite number, got NaN",
        target: { datum: 1, position: 1 },
        logprobs,
      },
    });
    expect(log).toEqual(["forwardBackward 2", "zeroGrad"]);
  });

  test("stops at the iteration whose gradient the engine refuses, and passes other errors on", async () => {
    const { engine, log } = recordingEngine();
    const refusing = (code: "nonfinite" | "engine") => ({
      ...engine,
      optimStep: async (params: AdamParams) => {
        if (log.includes("optimStep")) throw new MulliganError(code, "no");
        return engine.optimStep(params);
      },
    });
    const config = toyConfig({ numIterations: 3 });
    const { nonFinite } = await updatePolicy(refusing("nonfinite"), batchOf(1), config, 1);
    expect(nonFinite?.reason).toBe("no");
    expect(log).toEqual(["forwardBackward 1", "optimStep", "forwardBackward 1"]);
    await expect(updatePolicy(refusing("engine"), batchOf(1), config, 1)).rejects.toMatchObject({
      code: "engine",
    });
  });
});
