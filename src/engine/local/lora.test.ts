/** Adapters beside frozen weights: what they compute, what learns, and what is left alone. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { LoraConfig } from "../../model/config.ts";
import { loadModel, saveModel, withAdapter } from "../../model/folder.ts";
import { type Adapter, initAdapter, loraScale, mergedWeights } from "../../model/lora/adapter.ts";
import { parameterView } from "../../model/parameters.ts";
import { fuseTensors } from "../../model/tensors.ts";
import type { Engine, Loss, SamplingParams } from "../contract.ts";
import { createCore } from "./core.ts";
import { createLocalEngine } from "./local-engine.ts";
import {
  familyFields,
  llamaFields,
  roughAdapter,
  roughWeights,
  tinyAdam,
  tinyTexts,
} from "./tiny.test.kit.ts";
import { datumOf, float64Pass, passOf, releaseSessions } from "./training/passes.test.kit.ts";
import { trainingGraph } from "./training/training-graph.ts";
import type { Weights } from "./weights.ts";

const all: LoraConfig = { r: 3, alpha: 6, useRslora: false, targetModules: "all-linear" };
/** Of the common product of q, k and v only two parts. */
const some: LoraConfig = {
  r: 2,
  alpha: 5,
  useRslora: true,
  targetModules: ["q_proj", "v_proj", "down_proj"],
};
const params: SamplingParams = { maxTokens: 12, temperature: 1, topP: 1, topK: 0, stop: [] };
const data = tinyTexts([20, 7, 13, 20]);
const requests = [[3, 1, 4], [1, 5, 9, 2, 6, 5, 3], [8]].map((prompt, seed) => ({ prompt, seed }));
const crossEntropy: Loss = { name: "cross_entropy" };
const ppo: Loss = { name: "ppo", clipLow: 0.8, clipHigh: 1.2, kl: "k3" };

const open: Engine[] = [];
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close();
});
afterAll(releaseSessions);

const core = (weights: Weights) => {
  const engine = createCore(weights, 1);
  open.push(engine);
  return engine;
};

/** The same model with the adapter in its weights. */
function merged({ config, parameters, flat, adapter }: Weights): Weights {
  const { lora: _, ...plain } = config;
  return { config: plain, parameters, flat: mergedWeights(parameters, flat, adapter!) };
}

const distance = (a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]) =>
  Math.max(...a.flatMap((list, i) => Array.from(list, (x, t) => Math.abs(x - b[i]![t]!))));

describe.each([
  ["qwen2, all projections", roughWeights(1), all],
  ["llama, some projections", roughWeights(2, llamaFields), some],
  ["qwen3, some projections", roughWeights(3, familyFields.qwen3), some],
  // whose modules are the fused ones of its files
  ["phi3, all projections", roughWeights(4, familyFields.phi3), all],
] as const)("%s", (_name, weights, lora) => {
  test("a fresh adapter changes nothing", async () => {
    const fresh = withAdapter(weights, initAdapter(weights.config, lora, { seed: 1 }));
    const [adapted, plain] = [core(fresh), core(weights)];
    expect(distance(await adapted.forward(data), await plain.forward(data))).toBeLessThan(1e-6);
    const tokens = async (engine: Engine) =>
      (await engine.sample(requests, params)).map((sample) => [...sample.tokens]);
    expect(await tokens(adapted)).toEqual(await tokens(plain));
  });

  test("scores and samples like the model it is merged into, and unlike the base", async () => {
    const adapted = roughAdapter(weights, lora, 0.3);
    const [beside, inside, base] = [core(adapted), core(merged(adapted)), core(weights)];
    const logprobs = await beside.forward(data);
    expect(distance(logprobs, await inside.forward(data))).toBeLessThan(5e-5);
    expect(distance(logprobs, await base.forward(data))).toBeGreaterThan(0.1);
    const [ours, theirs] = [await beside.sample(requests, params), await inside.sample(requests, params)];
    expect(ours.map(({ tokens }) => tokens)).toEqual(theirs.map(({ tokens }) => tokens));
    const logprobsOf = (samples: typeof ours) => samples.map((sample) => sample.logprobs);
    expect(distance(logprobsOf(ours), logprobsOf(theirs))).toBeLessThan(5e-5);
  });

  test.each([
    ["cross_entropy", crossEntropy],
    ["ppo + k3", ppo],
  ] as const)("the gradient of %s follows from the merged weights' by the chain rule", async (_, loss) => {
    const adapted = roughAdapter(weights, lora, 0.3);
    const ids = Int32Array.from({ length: 12 }, (_, i) => (i * 7 + 3) % weights.config.vocabSize);
    const plain = merged(adapted);
    const datum = await datumOf(plain, ids);
    const whole = await (await float64Pass(plain, [datum], loss))(Float64Array.from(plain.flat));
    const { gradient } = await passOf(adapted, [datum], loss);
    for (const { parameter, expected } of chainRule(adapted, whole.gradient as Float64Array)) {
      const got = gradient.subarray(parameter.offset, parameter.offset + parameter.size);
      const norm = Math.hypot(...expected);
      const error = Math.hypot(...expected.map((x, i) => x - got[i]!));
      expect(norm, parameter.name).toBeGreaterThan(1e-3);
      expect(error / norm, parameter.name).toBeLessThan(5e-5);
    }
  });

  test("only the adapter learns, and no derivative of a frozen weight is computed", async () => {
    const adapted = withAdapter(weights, initAdapter(weights.config, lora, { seed: 1 }));
    const before = weights.flat.slice();
    const names = trainingGraph(adapted.config, { levels: 1, chunks: 1 }, crossEntropy).outputs.map(
      ({ name }) => name,
    );
    expect(names.filter((name) => name.startsWith("d:"))).toEqual(
      fuseTensors(adapted.adapter!.parameters).map(({ name }) => `d:${name}`),
    );
    const engine = core(adapted);
    const losses: number[] = [];
    for (let step = 0; step < 20; step++) {
      losses.push((await engine.forwardBackward(data, crossEntropy)).metrics["loss:sum"]!);
      await engine.optimStep({ ...tinyAdam, learningRate: 0.03 });
    }
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
    expect(weights.flat).toEqual(before);
  });

  test("activations computed again give the adapter the same gradient to the bit", async () => {
    const adapted = roughAdapter(weights, lora, 0.3);
    const datum = await datumOf(adapted, Int32Array.from([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9]));
    const kept = await passOf(adapted, [datum], ppo);
    const again = await passOf(adapted, [datum], ppo, { gradientCheckpointing: true });
    expect(again.gradient).toEqual(kept.gradient);
    expect(kept.gradient.some((value) => value !== 0)).toBe(true);
  });

  test("the reference is the model as it began", async () => {
    const engine = core(roughAdapter(weights, lora, 0.3));
    const before = await engine.forward(data);
    await engine.forwardBackward(data, crossEntropy);
    await engine.optimStep(tinyAdam);
    expect(await engine.forward(data, { weights: "reference" })).toEqual(before);
    expect(distance(await engine.forward(data), before)).toBeGreaterThan(1e-3);
  });
});

/** With W' = W + s·B·A: dB = s·dW'·Aᵀ, dA = s·Bᵀ·dW'. */
function* chainRule({ parameters, adapter }: Weights, gradient: Float64Array) {
  const { lora, flat, parameters: learning } = adapter as Adapter;
  const [s, r] = [loraScale(lora), lora.r];
  for (const weight of parameters) {
    const module = weight.name.replace(/\.weight$/, "");
    const [a, b] = ["A", "B"].map((m) => learning.find(({ name }) => name === `${module}.lora_${m}.weight`));
    if (!a || !b) continue;
    const [A, B] = [parameterView(flat, a), parameterView(flat, b)];
    const [outputs, inputs] = weight.shape as [number, number];
    const [dA, dB] = [new Array<number>(r * inputs).fill(0), new Array<number>(outputs * r).fill(0)];
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        const d = s * gradient[weight.offset + o * inputs + i]!;
        for (let k = 0; k < r; k++) {
          dA[k * inputs + i]! += B[o * r + k]! * d;
          dB[o * r + k]! += d * A[k * inputs + i]!;
        }
      }
    }
    yield { parameter: a, expected: dA };
    yield { parameter: b, expected: dB };
  }
}

describe("in a folder", () => {
  let folder: string;
  const weights = roughWeights();
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mulligan-lora-"));
    await saveModel(join(folder, "model"), weights);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const engineFrom = async (adapter: string | (LoraConfig & { seed: number }), threads = 1) => {
    const engine = await createLocalEngine(join(folder, "model"), { threads, adapter });
    open.push(engine);
    return engine;
  };
  const step = async (engine: Engine) => {
    await engine.forwardBackward(data, crossEntropy);
    await engine.optimStep(tinyAdam);
  };

  test("a state that is loaded again goes on to the same bytes", async () => {
    const first = await engineFrom({ ...all, seed: 4 });
    await step(first);
    await first.saveState(join(folder, "state"));
    expect((await readdir(join(folder, "state"))).sort()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "optimizer.json",
      "optimizer.safetensors",
    ]);
    await step(first);
    const second = await engineFrom({ ...all, seed: 5 });
    await second.loadState(join(folder, "state"));
    await step(second);
    expect(await second.forward(data)).toEqual(await first.forward(data));
    const third = await engineFrom({ ...all, r: 4, seed: 4 });
    await expect(third.loadState(join(folder, "state"))).rejects.toMatchObject({
      message: expect.stringContaining("holds another adapter"),
    });
  });

  test("an engine starts from an adapter, and saves weights with it merged in", async () => {
    const trained = await engineFrom({ ...some, seed: 4 });
    await step(trained);
    await trained.saveState(join(folder, "adapter"));
    const again = await engineFrom(join(folder, "adapter"));
    const logprobs = await trained.forward(data);
    expect(await again.forward(data)).toEqual(logprobs);
    await again.saveWeights(join(folder, "merged"));
    const whole = await loadModel(join(folder, "merged"));
    expect(distance(await core(whole).forward(data), logprobs)).toBeLessThan(5e-5);
  });

  test("replicas train one adapter", async () => {
    const [one, three] = [await engineFrom({ ...all, seed: 4 }), await engineFrom({ ...all, seed: 4 }, 3)];
    for (const engine of [one, three]) {
      await step(engine);
      await step(engine);
    }
    expect(distance(await three.forward(data), await one.forward(data))).toBeLessThan(5e-5);
  });
});
