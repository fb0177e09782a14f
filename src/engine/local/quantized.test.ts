/** Quantised weights under an adapter: what they compute, what learns, what is refused, and what is saved. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Quantization } from "../../core/quantization.ts";
import type { LoraConfig } from "../../model/config.ts";
import { loadModel, saveModel } from "../../model/folder.ts";
import { dequantize } from "../../model/quantized/quantize.ts";
import { matricesOf } from "../../model/quantized/tensors.ts";
import type { Engine, Loss, Sample, SamplingParams } from "../contract.ts";
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
import { datumOf, passOf, releaseSessions } from "./training/passes.test.kit.ts";
import { loadWeights, type Weights } from "./weights.ts";

/** Widths that blocks of 32 divide. */
const wide = { hidden_size: 32, intermediate_size: 64, head_dim: 8 };
const kinds: Quantization[] = ["int8", "int4"];
const lora: LoraConfig = { r: 3, alpha: 6, useRslora: false, targetModules: "all-linear" };
const params: SamplingParams = { maxTokens: 12, temperature: 1, topP: 1, topK: 0, stop: [] };
const requests = [[3, 1, 4], [1, 5, 9, 2, 6, 5, 3], [8]].map((prompt, seed) => ({ prompt, seed }));
const data = tinyTexts([20, 7, 13, 20]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-quantized-"));
});
afterAll(() => rm(folder, { recursive: true }));

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

const adapted = (weights: Weights) => roughAdapter(weights, lora, 0.1);

/** The float model that a quantised one stands for. */
function rounded(whole: Weights, { quantized }: Weights): Weights {
  const flat = whole.flat.slice();
  for (const { name, offset } of matricesOf(whole.config)) {
    flat.set(dequantize(quantized!.matrices.get(name)!), offset);
  }
  return { ...whole, flat };
}

const logprobsOf = (samples: readonly Sample[]) => samples.map(({ logprobs }) => logprobs);
const distance = (a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]) =>
  Math.max(...a.flatMap((list, i) => Array.from(list, (x, t) => Math.abs(x - b[i]![t]!))));

/** Weights of a usual size: the other tests' are so large that the last bit of an input moves a score by a hundredth. */
const mild = { ...wide, initializer_range: 0.12 };
const models = [
  ["qwen2", roughWeights(1, mild)],
  ["llama", roughWeights(2, { ...llamaFields, ...mild })],
  // one matrix of the file is two or three of a graph's
  ["phi3", roughWeights(4, { ...familyFields.phi3, ...mild, rope_scaling: null })],
] as const;

describe.each(models.flatMap(([name, weights]) => kinds.map((kind) => [name, kind, weights] as const)))(
  "%s in %s",
  (name, kind, whole) => {
    let ours: Weights;
    let theirs: Weights;
    beforeAll(async () => {
      const source = join(folder, name);
      await saveModel(source, whole);
      const quantized = await loadWeights(source, { quantization: kind });
      ours = adapted(quantized);
      theirs = adapted(rounded(whole, quantized));
    });

    test("scores and samples as the float model of its rounded weights", async () => {
      const [integers, floats, exact] = [core(ours), core(theirs), core(adapted(whole))];
      const logprobs = await integers.forward(data);
      const rounding = distance(logprobs, await floats.forward(data));
      expect(rounding).toBeLessThan(4e-3);
      expect(distance(logprobs, await exact.forward(data))).toBeGreaterThan(4 * rounding);
      const [samples, expected] = [
        await integers.sample(requests, params),
        await floats.sample(requests, params),
      ];
      expect(samples.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens));
      expect(distance(logprobsOf(samples), logprobsOf(expected))).toBeLessThan(4e-3);
    });

    test("sampler and trainer agree on what was sampled", async () => {
      const engine = core(ours);
      const samples = await engine.sample(requests, params);
      const texts = samples.map(({ tokens }, i) => [...requests[i]!.prompt, ...tokens]);
      const scored = await engine.forward(
        texts.map((ids) => ({
          tokens: Int32Array.from(ids.slice(0, -1)),
          targets: Int32Array.from(ids.slice(1)),
        })),
      );
      const tails = scored.map((list, i) => list.subarray(requests[i]!.prompt.length - 1));
      expect(distance(tails, logprobsOf(samples))).toBeLessThan(AGREEMENT);
    });

    test.each([
      ["one chunk of scores", undefined],
      ["many chunks", 600],
    ])(
      "the adapter's gradient is that of the float model of its rounded weights: %s",
      async (_, scoreBytes) => {
        const loss: Loss = { name: "ppo", clipLow: 0.8, clipHigh: 1.2, kl: "k3" };
        const ids = Int32Array.from({ length: 12 }, (_, i) => (i * 7 + 3) % whole.config.vocabSize);
        const datum = await datumOf(theirs, ids);
        const options = scoreBytes === undefined ? {} : { scoreBytes };
        const got = await passOf(ours, [datum], loss, options);
        const expected = await passOf(theirs, [datum], loss);
        expect(got.chunks > 1).toBe(scoreBytes !== undefined);
        for (const { name, offset, size } of ours.adapter!.parameters) {
          const [g, e] = [got, expected].map(({ gradient }) => gradient.subarray(offset, offset + size));
          const norm = Math.hypot(...e!);
          expect(norm, name).toBeGreaterThan(1e-4);
          expect(Math.hypot(...e!.map((x, i) => x - g![i]!)) / norm, name).toBeLessThan(5e-3);
        }
      },
    );
  },
);

/** Sampling rounds keys and values as training does, but sums attention in another order, which may round an input up. */
const AGREEMENT = 2e-3;

describe("what is kept and refused", () => {
  const whole = roughWeights(5, mild);
  let source: string;
  beforeAll(async () => {
    source = join(folder, "whole");
    await saveModel(source, whole);
  });

  test("without an adapter it samples and scores, but nothing can learn", async () => {
    const engine = core(await loadWeights(source, { quantization: "int8" }));
    expect(await engine.sample(requests, params)).toHaveLength(requests.length);
    expect(await engine.forward(data)).toHaveLength(data.length);
    await expect(engine.forwardBackward(data, { name: "cross_entropy" })).rejects.toMatchObject({
      code: "engine",
      message: "forwardBackward: needs weights that learn, got quantised ones",
    });
  });

  test.each(kinds)(
    "a step moves the adapter alone, whose state comes back to the last bit: %s",
    async (quantization) => {
      const weights = adapted(await loadWeights(source, { quantization }));
      const before = structuredClone(weights.quantized!.matrices);
      const engine = core(weights);
      const step = async (of: Engine) => {
        await of.forwardBackward(data, { name: "cross_entropy" });
        await of.optimStep(tinyAdam);
      };
      await step(engine);
      expect(weights.quantized!.matrices).toEqual(before);
      const state = join(folder, `state-${quantization}`);
      await engine.saveState(state);
      const fresh = adapted(await loadWeights(source, { quantization }));
      const other = core(fresh);
      await other.loadState(state);
      expect(fresh.adapter!.flat).toEqual(weights.adapter!.flat);
      await step(engine);
      await step(other);
      expect(fresh.adapter!.flat).toEqual(weights.adapter!.flat);
    },
  );

  test.each(kinds)(
    "an adapter is merged into the weights as they were, not as they were rounded: %s",
    async (quantization) => {
      const weights = adapted(await loadWeights(source, { quantization }));
      const [got, expected] = [join(folder, `merged-${quantization}`), join(folder, "expected")];
      await core(weights).saveWeights(got);
      await saveModel(expected, adapted(whole));
      expect((await loadModel(got)).flat).toEqual((await loadModel(expected)).flat);
      expect(await readFile(join(got, "config.json"), "utf8")).toBe(
        await readFile(join(expected, "config.json"), "utf8"),
      );
    },
  );

  test("importance weights undo that a sampler is coarser than the trainer", async () => {
    const trainer = adapted(whole);
    const sampler = core(adapted(await loadWeights(source, { quantization: "int4" })));
    const vocabulary = Array.from({ length: whole.config.vocabSize }, (_, id) => id);
    const next = vocabulary.map((id) => ({
      tokens: Int32Array.of(3, 1, 4),
      targets: Int32Array.of(1, 4, id),
    }));
    const reward = (id: number) => (id % 3) - 1;
    /** Every answer as often as its sampler draws it: the expectation of the gradient. */
    const expectation = async (logprobs: readonly Float32Array[]) => {
      const last = (number: number) => Float32Array.of(0, 0, number);
      const datums = next.map((datum, id) => {
        const logprob = logprobs[id]![2]!;
        return { ...datum, logprobs: last(logprob), advantages: last(Math.exp(logprob) * reward(id)) };
      });
      return (await passOf(trainer, datums, { name: "importance_sampling" })).gradient;
    };
    const [coarse, exact] = [await sampler.forward(next), await core(trainer).forward(next)];
    expect(distance(coarse, exact)).toBeGreaterThan(0.02);
    const [got, expected] = [await expectation(coarse), await expectation(exact)];
    expect(Math.hypot(...got.map((x, i) => x - expected[i]!)) / Math.hypot(...expected)).toBeLessThan(1e-4);
  });

  test("several replicas train and sample like one", async () => {
    const adapter = { ...lora, seed: 3 };
    const engines = await Promise.all(
      [1, 2].map((threads) => createLocalEngine(source, { threads, adapter, quantization: "int4" })),
    );
    open.push(...engines);
    for (const engine of engines) {
      await engine.forwardBackward(data, { name: "cross_entropy" });
      await engine.optimStep(tinyAdam);
    }
    const [one, two] = await Promise.all(engines.map((engine) => engine.forward(data)));
    expect(distance(one!, two!)).toBeLessThan(AGREEMENT);
  });

  test("4 bits need widths that blocks of 32 divide", async () => {
    const narrow = join(folder, "narrow");
    await saveModel(narrow, roughWeights(1));
    await expect(loadWeights(narrow, { quantization: "int4" })).rejects.toMatchObject({
      code: "model",
      message: `${narrow}: int4 needs matrices whose width is a multiple of 32, got 16 for "model.layers.0.self_attn.qkv_proj.weight"`,
    });
    await expect(loadWeights(narrow, { quantization: "int8" })).resolves.toBeDefined();
  });
});
