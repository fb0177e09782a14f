/** The local engine's contract, on a small model loaded from a folder. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadModel, saveModel } from "../../model/folder.ts";
import type { Engine, SamplingParams } from "../contract.ts";
import { createCore, type LocalEngineOptions } from "./core.ts";
import { roughWeights, tinyAdam, tinyTexts } from "./tiny.test.kit.ts";

const crossEntropy = { name: "cross_entropy" } as const;
const params: SamplingParams = { maxTokens: 12, temperature: 1, topP: 1, topK: 0, stop: [] };
const data = tinyTexts([20, 7, 13, 20]);

let folder: string;
const open: Engine[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-core-"));
  await saveModel(join(folder, "model"), roughWeights());
});
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close();
});
afterAll(() => rm(folder, { recursive: true }));

async function createEngine(options?: LocalEngineOptions): Promise<Engine> {
  const engine = createCore(await loadModel(join(folder, "model")), 2, options);
  open.push(engine);
  return engine;
}

/** Steps on the same data; the loss before each. */
async function train(engine: Engine, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push((await engine.forwardBackward(data, crossEntropy)).metrics["loss:sum"]!);
    await engine.optimStep(tinyAdam);
  }
  return losses;
}

describe("forward", () => {
  test.each([
    [1, 3],
    [0.8, 3],
    [1, 9],
  ])("gives sampled tokens the log-probability they were drawn with (T %s, %s samples)", async (t, count) => {
    const engine = await createEngine();
    const prompts = [[3, 1, 4], [1, 5, 9, 2, 6, 5, 3], [8]];
    const requests = Array.from({ length: count }, (_, seed) => ({ prompt: prompts[seed % 3]!, seed }));
    // with the weights of before, which a few samples pack
    await engine.sample(requests, params);
    await train(engine, 2);
    const samples = await engine.sample(requests, { ...params, temperature: t });
    const rows = requests.map(({ prompt }, i) => {
      const ids = [...prompt, ...samples[i]!.tokens];
      return { tokens: Int32Array.from(ids.slice(0, -1)), targets: Int32Array.from(ids.slice(1)) };
    });
    const logprobs = await engine.forward(rows, { temperature: t });
    samples.forEach((sample, i) => {
      const again = logprobs[i]!.slice(requests[i]!.prompt.length - 1);
      expect(again).toHaveLength(12);
      again.forEach((l, k) => void expect(Math.abs(l - sample.logprobs[k]!)).toBeLessThan(2e-5));
    });
  });

  test("answers in order, whatever the lengths and however many rows", async () => {
    const engine = await createEngine();
    const rows = tinyTexts(Array.from({ length: 150 }, (_, i) => [60, 5, 33, 64][i % 4]!));
    const logprobs = await engine.forward(rows);
    expect(logprobs.map(({ length }) => length)).toEqual(rows.map(({ tokens }) => tokens.length));
    for (const i of [0, 1, 2, 77, 149]) {
      const [alone] = await engine.forward([rows[i]!]);
      alone!.forEach((l, t) => void expect(Math.abs(l - logprobs[i]![t]!)).toBeLessThan(2e-5));
    }
  });

  test("returns what forwardBackward returns, whose loss is their negative sum", async () => {
    const engine = await createEngine();
    const { logprobs, metrics } = await engine.forwardBackward(data, crossEntropy);
    const forward = await engine.forward(data);
    let sum = 0;
    logprobs.forEach((row, d) => {
      row.forEach((l, t) => {
        expect(Math.abs(l - forward[d]![t]!)).toBeLessThan(1e-5);
        sum -= l;
      });
    });
    expect(metrics["loss:sum"]).toBeCloseTo(sum, 3);
  });

  test("'reference' keeps the starting weights byte for byte while training changes the current ones", async () => {
    const engine = await createEngine();
    const before = await engine.forward(data, { weights: "reference" });
    expect(await engine.forward(data)).toEqual(before);
    await train(engine, 2);
    expect(await engine.forward(data, { weights: "reference" })).toEqual(before);
    expect(await engine.forward(data)).not.toEqual(before);
  });

  test("says so when no reference was kept", async () => {
    const engine = await createEngine({ reference: false });
    await expect(engine.forward(data, { weights: "reference" })).rejects.toMatchObject({
      code: "engine",
      message: "forward: reference weights were not kept, got weights: reference",
      hint: expect.stringContaining("reference: true"),
    });
  });
});

describe("training", () => {
  test("lowers the loss", async () => {
    const losses = await train(await createEngine(), 12);
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
  });

  test("accumulates until optimStep, and starts from nothing after it", async () => {
    const [together, apart] = [await createEngine(), await createEngine()];
    for (const engine of [together, apart]) await train(engine, 1);
    await together.forwardBackward(data, crossEntropy);
    for (const datum of data) await apart.forwardBackward([datum], crossEntropy);
    const expected = await together.optimStep(tinyAdam);
    const got = await apart.optimStep(tinyAdam);
    expect(got.gradNorm / expected.gradNorm).toBeCloseTo(1, 5);
    expect(await together.optimStep(tinyAdam)).toEqual({ gradNorm: 0 });
  });

  test("a gradient that is no number is refused, and the weights stay as they were", async () => {
    const engine = await createEngine();
    const before = await engine.forward(data);
    // e^(120 + ln p) overflows, and its clipped branch has the derivative 0 · ∞
    const wild = data.map(({ weights, ...datum }) => ({
      ...datum,
      logprobs: new Float32Array(weights.length).fill(-120),
      advantages: new Float32Array(weights.length).fill(1),
    }));
    await engine.forwardBackward(wild, { name: "ppo", clipLow: 0.8, clipHigh: 1.2 });
    await expect(engine.optimStep(tinyAdam)).rejects.toMatchObject({
      code: "nonfinite",
      message:
        "optimStep: the gradient's norm must be a finite number, got NaN, first in model.embed_tokens.weight",
    });
    expect(await engine.forward(data)).toEqual(before);
    await engine.forwardBackward(data, crossEntropy);
    expect((await engine.optimStep(tinyAdam)).gradNorm).toBeGreaterThan(0);
  });

  test("zeroGrad drops what was accumulated, and only that", async () => {
    const engine = await createEngine();
    await train(engine, 1);
    const before = await engine.forward(data);
    await engine.forwardBackward(data, crossEntropy);
    await engine.zeroGrad();
    expect(await engine.forward(data)).toEqual(before);
    expect(await engine.optimStep(tinyAdam)).toEqual({ gradNorm: 0 });
  });

  test("a policy loss whose advantages are all 0 leaves a gradient of exactly 0", async () => {
    const engine = await createEngine();
    const zeros = (length: number) => new Float32Array(length);
    const silent = data.map(({ tokens, targets }) => {
      const [logprobs, advantages] = [zeros(tokens.length), zeros(tokens.length)];
      return { tokens, targets, logprobs, advantages };
    });
    const { metrics } = await engine.forwardBackward(silent, { name: "ppo" });
    expect(metrics).toEqual({ "loss:sum": 0 });
    expect(await engine.optimStep(tinyAdam)).toEqual({ gradNorm: 0 });
  });

  test("the same calls give the same bytes on two engines", async () => {
    const run = async (engine: Engine) => {
      const losses = await train(engine, 3);
      const samples = await engine.sample([{ prompt: [1, 2, 3], seed: 5 }], params);
      return { losses, samples, logprobs: await engine.forward(data) };
    };
    expect(await run(await createEngine())).toEqual(await run(await createEngine()));
  });
});

test("saveWeights writes a folder that loads as the same model and computes the same", async () => {
  const engine = await createEngine();
  await train(engine, 2);
  const saved = join(folder, "saved");
  await engine.saveWeights(saved);
  const model = await loadModel(saved);
  const start = await loadModel(join(folder, "model"));
  expect({ ...model.config, json: null }).toEqual({ ...start.config, json: null });
  expect(model.flat).not.toEqual(start.flat);
  const loaded = createCore(model, 2);
  open.push(loaded);
  expect(await loaded.forward(data)).toEqual(await engine.forward(data));
});

test("info describes the model, without the padding between its parameters", async () => {
  const { info } = await createEngine();
  expect(info).toMatchObject({ name: "local", vocabSize: 29, contextLength: 64, threads: 2 });
  // Embedding, final norm; two norms, q k v o and their biases, gate up down, twice.
  const layer = 2 * 16 + (256 + 16) + 2 * (128 + 8) + 256 + 3 * 16 * 24;
  expect(info.parameters).toBe(29 * 16 + 16 + 2 * layer);
});
