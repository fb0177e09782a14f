/** The engine behind its worker thread: order, errors, a free event loop, and an end. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MulliganError } from "../../core/errors.ts";
import { loadModel, saveModel } from "../../model/folder.ts";
import type { Engine } from "../contract.ts";
import { createCore } from "./core.ts";
import { createLocalEngine } from "./local-engine.ts";
import { afterStep, roughWeights, tinyAdam, tinyTexts } from "./tiny.test.kit.ts";

const crossEntropy = { name: "cross_entropy" } as const;
const params = { maxTokens: 8, temperature: 1, topP: 1, topK: 0, stop: [] };
const data = tinyTexts([20, 7, 13]);
const requests = [
  { prompt: [1, 2, 3], seed: 1 },
  { prompt: [4], seed: 2 },
];

let folder: string;
let model: string;
let engine: Engine;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-local-"));
  model = join(folder, "model");
  await saveModel(model, roughWeights());
  engine = await createLocalEngine(model, { threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

test("gives the bytes that the engine gives without a worker", async () => {
  const core = createCore(await loadModel(model), 1);
  expect(engine.info).toEqual(core.info);
  const state = join(folder, "start");
  await engine.saveState(state);
  const [ours, theirs] = await afterStep([engine, core], data, [requests, params]);
  expect(ours).toEqual(theirs);
  await core.close();
  await engine.loadState(state);
});

test("told to forget, samples as though it had never sampled before, to the last bit", async () => {
  const rows = (first: number) =>
    Array.from({ length: 24 }, (_, i) => {
      const prompt = [...Array.from({ length: 30 }, (_, t) => (7 * t) % 29), (first + i) % 29, 3, i];
      return { prompt, seed: 100 * first + i };
    });
  const fresh = createCore(await loadModel(model), 1);
  const expected = await fresh.sample(rows(8), params);
  await fresh.close();
  await engine.sample(rows(6), params);
  await engine.forget!();
  expect(await engine.sample(rows(8), params)).toEqual(expected);
  // what is kept does show in the last bits, of a row that reads a beginning alone which it would have shared: else there
  // would be nothing to forget
  await engine.forget!();
  await engine.sample(rows(8).slice(0, 1), params);
  expect(await engine.sample(rows(8), params)).not.toEqual(expected);
});

test("answers calls that overlap in the order they were made", async () => {
  const state = join(folder, "overlap");
  const answered: string[] = [];
  const note = <T>(name: string, answer: Promise<T>) => {
    answer.then(
      () => answered.push(name),
      () => answered.push(`${name} failed`),
    );
    return answer;
  };
  const calls = [
    note("save", engine.saveState(state)),
    note("before", engine.forward(data)),
    note("backward", engine.forwardBackward(data, crossEntropy)),
    note("bad", engine.forward([])),
    note("step", engine.optimStep(tinyAdam)),
    note("sample", engine.sample(requests, params)),
    note("after", engine.forward(data)),
    note("load", engine.loadState(state)),
    note("again", engine.forward(data)),
  ];
  const [, before, , bad, step, , after, , again] = await Promise.allSettled(calls);
  expect(answered).toEqual([
    ...["save", "before", "backward", "bad failed", "step", "sample", "after", "load", "again"],
  ]);
  expect(bad).toMatchObject({ reason: { message: "data: needs at least one datum, got none" } });
  expect(step).not.toMatchObject({ value: { gradNorm: 0 } });
  expect(after).not.toEqual(before);
  expect(again).toEqual(before);
});

describe("an error", () => {
  test("arrives as the MulliganError it was, and the next call is answered", async () => {
    const error = await engine.sample([{ prompt: [], seed: 1 }], params).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(MulliganError);
    expect(error).toMatchObject({ code: "context", hint: expect.stringContaining("shorten the prompt") });
    expect(await engine.sample(requests, params)).toHaveLength(2);
  });

  test("that nobody foresaw arrives too", async () => {
    await expect(engine.forward(undefined as never)).rejects.toThrow(TypeError);
    await expect(engine.saveWeights(undefined as never)).rejects.toThrow("TypeError");
    expect(await engine.forward(data)).toHaveLength(3);
  });
});

test("the event loop stays free while the worker computes", async () => {
  const long = tinyTexts(new Array(256).fill(64));
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const answer = engine.forwardBackward(long, crossEntropy);
  await answer;
  clearInterval(timer);
  // A thread that computes ticks between the runs at most: four of them, here.
  expect(ticks).toBeGreaterThan(20);
  await engine.optimStep({ ...tinyAdam, learningRate: 0 });
});

test("after close every call is refused, and closing again is nothing", async () => {
  const other = await createLocalEngine(model, { threads: 1 });
  const last = other.forward(data);
  await Promise.all([other.close(), other.close()]);
  expect(await last).toHaveLength(3);
  await expect(other.forward(data)).rejects.toMatchObject({
    code: "engine",
    message: "local engine: it is closed",
  });
  await other.close();
});

describe("a process", () => {
  /** Runs a script with `createLocalEngine` and `model` in its scope, until it ends by itself. */
  async function outputOf(script: string): Promise<string> {
    const source = new URL("./local-engine.ts", import.meta.url).href;
    const names = `const { createLocalEngine } = await import(${JSON.stringify(source)});
      const model = ${JSON.stringify(model)};`;
    const args = ["--import", "tsx", "--input-type=module", "--eval", `${names}\n${script}`];
    return (await promisify(execFile)(process.execPath, args, { timeout: 25_000 })).stdout;
  }

  test("ends by itself after a model that is not there", async () => {
    const script = "await createLocalEngine(model + '/none').catch((e) => console.log(e.code, e.message));";
    expect(await outputOf(script)).toBe(
      `checkpoint ${join(model, "none", "config.json")}: cannot be read (ENOENT)\n`,
    );
  });

  test("ends by itself once the engine is closed", async () => {
    const script =
      "const e = await createLocalEngine(model); await e.close(); console.log(e.info.vocabSize);";
    expect(await outputOf(script)).toBe("29\n");
  });
});
