/** The engine in parts: one replica per thread gives what one core gives. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveModel } from "../../../model/folder.ts";
import type { Engine } from "../../contract.ts";
import { type Core, createCore } from "../core.ts";
import { createLocalEngine } from "../local-engine.ts";
import { afterStep, roughWeights, tinyAdam, tinyTexts } from "../tiny.test.kit.ts";

const crossEntropy = { name: "cross_entropy" } as const;
const params = { maxTokens: 6, temperature: 1, topP: 1, topK: 0, stop: [3] };
const data = tinyTexts([20, 7, 13, 4, 17, 9, 11]);
const requests = Array.from({ length: 50 }, (_, i) => ({ prompt: [1 + (i % 4), 2, 5 + (i % 20)], seed: i }));

let folder: string;
let model: string;
let engine: Engine;
let core: Core;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-replicas-"));
  model = join(folder, "model");
  await saveModel(model, roughWeights());
  engine = await createLocalEngine(model, { threads: 3, profile: true });
  core = createCore(roughWeights(), 1);
});
afterAll(async () => {
  await Promise.all([engine.close(), core.close()]);
  await rm(folder, { recursive: true });
});

/** Largest difference between two lists of lists of numbers, which must be of the same lengths. */
function distance(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  expect(a.map(({ length }) => length)).toEqual(b.map(({ length }) => length));
  return Math.max(
    ...a.flatMap((list, i) => Array.from(list, (x, t) => (Number.isNaN(x) ? 0 : Math.abs(x - b[i]![t]!)))),
  );
}

test("scores, metrics and samples come in the order they were asked for", async () => {
  expect(distance(await engine.forward(data), await core.forward(data))).toBeLessThan(2e-5);
  const [ours, theirs] = [await engine.sample(requests, params), await core.sample(requests, params)];
  expect(ours.map(({ tokens, stopReason }) => ({ tokens, stopReason }))).toEqual(
    theirs.map(({ tokens, stopReason }) => ({ tokens, stopReason })),
  );
  expect(
    distance(
      ours.map(({ logprobs }) => logprobs),
      theirs.map(({ logprobs }) => logprobs),
    ),
  ).toBeLessThan(2e-5);
});

test("a step takes everyone's gradient, and everyone the new weights", async () => {
  const norms: number[] = [];
  for (const one of [engine, core]) {
    const { metrics, logprobs } = await one.forwardBackward(data, crossEntropy);
    await one.forwardBackward(data.slice(0, 1), crossEntropy); // one replica, all threads
    norms.push(metrics["loss:sum"]!, (await one.optimStep(tinyAdam)).gradNorm);
    expect(logprobs).toHaveLength(data.length);
  }
  expect(norms[0]! / norms[2]!).toBeCloseTo(1, 5);
  expect(norms[1]! / norms[3]!).toBeCloseTo(1, 5);
  expect(distance(await engine.forward(data), await core.forward(data))).toBeLessThan(5e-5);
  // nothing is left of the gradient
  const before = await engine.forward(data);
  expect(await engine.optimStep({ ...tinyAdam, weightDecay: 0, learningRate: 0 })).toEqual({ gradNorm: 0 });
  expect(await engine.forward(data)).toEqual(before);
});

test("a gradient that is no number in one replica is refused and cleared in all, and nothing else changes", async () => {
  const stateOf = async (name: string) => {
    await engine.saveState(join(folder, name));
    const files = ["model.safetensors", "optimizer.safetensors", "optimizer.json"];
    return Promise.all(files.map((file) => readFile(join(folder, name, file), "base64")));
  };
  const wild = data.map(({ weights, ...datum }, i) => ({
    ...datum,
    logprobs: new Float32Array(weights.length).fill(i === 0 ? -120 : 0),
    advantages: new Float32Array(weights.length).fill(1),
  }));
  const before = await stateOf("before");
  await engine.forwardBackward(wild, { name: "ppo", clipLow: 0.8, clipHigh: 1.2 });
  await expect(engine.optimStep(tinyAdam)).rejects.toMatchObject({
    code: "nonfinite",
    message: expect.stringMatching(/got NaN, first in model\./),
  });
  expect(await stateOf("after")).toEqual(before);
  await engine.forwardBackward(data, crossEntropy);
  await engine.zeroGrad();
  expect(await engine.optimStep({ ...tinyAdam, weightDecay: 0, learningRate: 0 })).toEqual({ gradNorm: 0 });
});

test("a loaded state reaches every replica, and the reference stays", async () => {
  const state = join(folder, "state");
  await engine.saveState(state);
  const [before, reference] = [
    await engine.forward(data),
    await engine.forward(data, { weights: "reference" }),
  ];
  await engine.forwardBackward(data, crossEntropy);
  await engine.optimStep(tinyAdam);
  expect(distance(await engine.forward(data), before)).toBeGreaterThan(1e-3);
  await engine.loadState(state);
  expect(await engine.forward(data)).toEqual(before);
  expect(await engine.forward(data, { weights: "reference" })).toEqual(reference);
});

test("the same calls give the same bytes", async () => {
  const other = await createLocalEngine(model, { threads: 3 });
  const start = join(folder, "first");
  await other.saveState(start);
  await engine.loadState(start);
  const [ours, theirs] = await afterStep([engine, other], data, [requests, params]);
  expect(theirs).toEqual(ours);
  await other.close();
});

test("a wrong item is named by its place in what was asked for, and nothing of the others is computed", async () => {
  const bad = requests.map((request, i) => (i === 9 ? { ...request, prompt: [] } : request));
  await expect(engine.sample(bad, params)).rejects.toMatchObject({ code: "context", message: /^prompt 9: / });
  const short = data.map((datum, i) => (i === 5 ? { ...datum, weights: new Float32Array(1) } : datum));
  await expect(engine.forwardBackward(short, crossEntropy)).rejects.toThrow("data[5].weights");
  expect(await engine.optimStep({ ...tinyAdam, learningRate: 0 })).toEqual({ gradNorm: 0 });
});

test("an engine that measures says where its time went, all replicas together", async () => {
  const profile = (await engine.profile!())!;
  const training = profile.find(({ graph }) => graph.startsWith("train cross_entropy"))!;
  expect(training.ops.find(({ op }) => op === "Gemm")!.calls).toBeGreaterThan(0);
  expect(training.runs).toBeGreaterThanOrEqual(3);
  expect(training.seconds).toBeGreaterThan(training.ops.reduce((sum, { seconds }) => sum + seconds, 0) / 2);
  expect(await core.profile()).toBeUndefined();
});
