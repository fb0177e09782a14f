/** Training state: stopping and going on changes nothing, and a save or load that fails changes nothing either. */
import { cp, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Engine } from "../../contract.ts";
import { createCore } from "../core.ts";
import { roughWeights, tinyAdam, tinyTexts } from "../tiny.test.kit.ts";
import { createAdamState } from "./adamw.ts";
import { saveTrainingState } from "./state.ts";

const data = tinyTexts([20, 7, 13]);
const FILES = ["config.json", "model.safetensors", "optimizer.json", "optimizer.safetensors"];

let folder: string;
let state: string;
const open: Engine[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-state-"));
  state = join(folder, "state");
});
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close();
  await rm(folder, { recursive: true });
});

function createEngine(weights = roughWeights()): Engine {
  const engine = createCore(weights, 1, { reference: false });
  open.push(engine);
  return engine;
}

async function train(engine: Engine, steps: number): Promise<Engine> {
  for (let step = 0; step < steps; step++) {
    await engine.forwardBackward(data, { name: "cross_entropy" });
    await engine.optimStep(tinyAdam);
  }
  return engine;
}

const bytesOf = (of: string) => Promise.all(FILES.map((file) => readFile(join(of, file))));

test("a run that was stopped and resumed is the one that was not, bit for bit", async () => {
  const whole = await train(createEngine(), 5);
  const first = await train(createEngine(), 2);
  await first.saveState(state);
  const second = createEngine();
  await second.loadState(state);
  await train(second, 3);
  for (const [name, engine] of Object.entries({ whole, second })) await engine.saveState(join(folder, name));
  expect(await bytesOf(join(folder, "second"))).toEqual(await bytesOf(join(folder, "whole")));
  expect(await second.forward(data)).toEqual(await whole.forward(data));
});

test("loading discards a gradient that waits for optimStep", async () => {
  const engine = createEngine();
  await engine.saveState(state);
  await engine.forwardBackward(data, { name: "cross_entropy" });
  await engine.loadState(state);
  expect(await engine.optimStep(tinyAdam)).toEqual({ gradNorm: 0 });
});

describe("saveState", () => {
  test("replaces an older state and leaves nothing else behind", async () => {
    const engine = await train(createEngine(), 1);
    await engine.saveState(state);
    const old = await bytesOf(state);
    await train(engine, 1);
    await engine.saveState(`${state}/`);
    expect(await bytesOf(state)).not.toEqual(old);
    expect(await readdir(folder)).toEqual(["state"]);
    expect((await readdir(state)).sort()).toEqual(FILES);
    expect(JSON.parse(await readFile(join(state, "optimizer.json"), "utf8"))).toEqual({ step: 2 });
  });

  test("makes the folders above it", async () => {
    await createEngine().saveState(join(folder, "a", "b"));
    expect((await readdir(join(folder, "a", "b"))).sort()).toEqual(FILES);
  });

  test("keeps the old state when a write fails half way", async () => {
    const weights = roughWeights();
    await createEngine(weights).saveState(state);
    const old = await bytesOf(state);
    // Moments of the wrong size can only be noticed after the weights were written.
    const failing = saveTrainingState(state, weights, createAdamState(8));
    await expect(failing).rejects.toMatchObject({ code: "io", message: expect.stringContaining(state) });
    expect(await bytesOf(state)).toEqual(old);
    expect(await readdir(folder)).toEqual(["state"]);
  });

  test("keeps the old state when nothing can be written beside it", async () => {
    const engine = createEngine();
    await engine.saveState(state);
    // No room for a longer name: file systems allow 255 bytes.
    const long = join(folder, "s".repeat(252));
    await rename(state, long);
    const old = await bytesOf(long);
    await expect(engine.saveState(long)).rejects.toMatchObject({
      code: "io",
      message: expect.stringContaining("s: cannot be written"),
      hint: expect.stringContaining("may write"),
    });
    expect(await bytesOf(long)).toEqual(old);
  });

  test("refuses a place under a file", async () => {
    await writeFile(state, "");
    await expect(createEngine().saveState(join(state, "below"))).rejects.toMatchObject({ code: "io" });
  });

  test("refuses to replace a folder of other files", async () => {
    await writeFile(join(folder, "thesis.txt"), "years of work");
    await expect(createEngine().saveState(folder)).rejects.toMatchObject({
      code: "io",
      message: `${folder}: must be a new or empty folder or an older training state, got other files`,
    });
    expect(await readdir(folder)).toEqual(["thesis.txt"]);
  });
});

describe("loadState", () => {
  const damages: [string, (of: string) => Promise<unknown>, string][] = [
    ["no folder", (of) => rm(of, { recursive: true }), "config.json: cannot be read (ENOENT)"],
    ["no weights", (of) => rm(join(of, "model.safetensors")), "model.safetensors: no such file"],
    ["cut weights", (of) => truncate(join(of, "model.safetensors"), 9000), "it is cut off"],
    ["no moments", (of) => rm(join(of, "optimizer.safetensors")), "optimizer.safetensors: cannot be opened"],
    ["cut moments", (of) => truncate(join(of, "optimizer.safetensors"), 9000), "it is cut off"],
    [
      "weights for moments",
      (of) => cp(join(of, "model.safetensors"), join(of, "optimizer.safetensors")),
      'tensor "m.model.embed_tokens.weight" is missing',
    ],
    ["no step", (of) => rm(join(of, "optimizer.json")), "optimizer.json: cannot be read (ENOENT"],
    ["a cut step", (of) => writeFile(join(of, "optimizer.json"), '{"st'), "optimizer.json: cannot be read"],
    [
      "half a step",
      (of) => writeFile(join(of, "optimizer.json"), '{"step":1.5}'),
      '"step" must be a whole number, got 1.5',
    ],
  ];

  test.each(damages)("refuses %s and stays as it was", async (_name, damage, message) => {
    await (await train(createEngine(), 2)).saveState(state);
    const engine = await train(createEngine(), 1);
    const before = await engine.forward(data);
    await damage(state);
    await expect(engine.loadState(state)).rejects.toMatchObject({
      name: "MulliganError",
      code: "checkpoint",
      message: expect.stringContaining(message),
    });
    expect(await engine.forward(data)).toEqual(before);
    // And it trains on as though nothing had happened, moments included.
    const untouched = await train(createEngine(), 3);
    expect(await (await train(engine, 2)).forward(data)).toEqual(await untouched.forward(data));
  });

  test.each([
    ["of another size", { num_hidden_layers: 1 }],
    ["of the same size that computes otherwise", { rope_theta: 20000 }],
  ])("refuses the state of a model %s", async (_name, fields) => {
    await createEngine(roughWeights(1, fields)).saveState(state);
    await expect(createEngine().loadState(state)).rejects.toMatchObject({
      code: "checkpoint",
      message: `${state}: holds another model than the engine's`,
      hint: expect.stringContaining("the model that the run was started with"),
    });
  });
});
