/** The exported graph gives the engine's log-probabilities, in this runtime and in the one for browsers. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withAdapter } from "../../model/folder.ts";
import { initAdapter } from "../../model/lora/adapter.ts";
import { saveOnnx } from "../../model/onnx-file.ts";
import { createCore } from "./core.ts";
import { familyFields, llamaFields, roughWeights } from "./tiny.test.kit.ts";
import type { Weights } from "./weights.ts";

type Runtime = typeof import("onnxruntime-node");
type Session = import("onnxruntime-node").InferenceSession;
const require = createRequire(import.meta.url);
const node = require("onnxruntime-node") as Runtime;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-onnx-"));
});
afterAll(() => rm(folder, { recursive: true }));

const ids = Array.from({ length: 20 }, (_, i) => (i * 7 + 3) % 29);

async function engineLogprobs(weights: Weights): Promise<Float32Array> {
  const core = createCore(weights, 1);
  const data = [{ tokens: Int32Array.from(ids.slice(0, -1)), targets: Int32Array.from(ids.slice(1)) }];
  const [logprobs] = await core.forward(data);
  await core.close();
  return logprobs!;
}

/** ln p of each next token, from parts of these lengths that continue each other's cache; padding comes first. */
async function exportedLogprobs(
  ort: Pick<Runtime, "Tensor">,
  session: Session,
  { config }: Weights,
  { parts, padding = 0 }: { parts: number[]; padding?: number },
): Promise<number[]> {
  const int64 = (numbers: number[]) =>
    new ort.Tensor("int64", BigInt64Array.from(numbers, BigInt), [1, numbers.length]);
  let cache = Object.fromEntries(
    session.inputNames
      .filter((name) => name.startsWith("past_key_values."))
      .map((name) => [
        name,
        new ort.Tensor("float32", new Float32Array(0), [1, config.kvHeads, 0, config.headSize]),
      ]),
  );
  const logprobs: number[] = [];
  let start = 0;
  for (const [p, length] of parts.entries()) {
    const pads = p === 0 ? padding : 0;
    const tokens = ids.slice(start, start + length);
    const results = await session.run({
      input_ids: int64([...Array(pads).fill(0), ...tokens]),
      attention_mask: int64([...Array(padding).fill(0), ...Array(start + length).fill(1)]),
      position_ids: int64([...Array(pads).fill(1), ...tokens.map((_, t) => start + t)]),
      ...cache,
    });
    const rows = results.logits!.data as Float32Array;
    for (const t of tokens.keys()) {
      const target = ids[start + t + 1];
      const row = [...rows.subarray((pads + t) * config.vocabSize, (pads + t + 1) * config.vocabSize)];
      const top = Math.max(...row);
      const mass = top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
      if (target !== undefined) logprobs.push(row[target]! - mass);
    }
    cache = Object.fromEntries(
      Object.keys(cache).map((name) => [name, results[name.replace("past_key_values", "present")]!]),
    ) as typeof cache;
    start += length;
  }
  return logprobs;
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));
};

const qwen2 = roughWeights(1);
const adapter = initAdapter(
  qwen2.config,
  { r: 2, alpha: 8, useRslora: false, targetModules: "all-linear" },
  { seed: 1 },
);
for (let i = 0; i < adapter.flat.length; i++) adapter.flat[i]! += 0.1 * Math.sin(i);

describe.each([
  ["qwen2", qwen2],
  ["qwen2 with an adapter", withAdapter(qwen2, adapter)],
  ["llama", roughWeights(2, llamaFields)],
  ...Object.entries(familyFields).map(([name, fields]) => [name, roughWeights(3, fields)] as const),
] as const)("%s", (name, weights) => {
  let session: Session;
  let expected: Float32Array;
  beforeAll(async () => {
    const files = await saveOnnx(join(folder, name), weights);
    expect(files).toEqual(["model.onnx"]);
    session = await node.InferenceSession.create(join(folder, name, "model.onnx"));
    expected = await engineLogprobs(weights);
  });
  afterAll(() => session.release());

  test.each([
    ["at once", { parts: [20] }],
    ["token by token over the cache", { parts: [11, 1, 1, 1, 6] }],
    ["with padding before", { parts: [9, 11], padding: 3 }],
  ])("scores a text %s as the engine does", async (_, options) => {
    expect(distance(await exportedLogprobs(node, session, weights, options), expected)).toBeLessThan(5e-5);
  });
});

test("weights beyond the limit lie in a file of their own", async () => {
  const files = await saveOnnx(join(folder, "large"), qwen2, { maxBytes: 1000 });
  expect(files).toEqual(["model.onnx", "model.onnx_data"]);
  const session = await node.InferenceSession.create(join(folder, "large", "model.onnx"));
  const got = await exportedLogprobs(node, session, qwen2, { parts: [20] });
  expect(distance(got, await engineLogprobs(qwen2))).toBeLessThan(5e-5);
  await session.release();
});

test("onnxruntime-web loads the file and scores a text as the engine does", async () => {
  const web = (await import("onnxruntime-web")) as unknown as Runtime;
  (web.env as { wasm: { numThreads: number } }).wasm.numThreads = 1;
  await saveOnnx(join(folder, "web"), qwen2);
  const bytes = await readFile(join(folder, "web", "model.onnx"));
  const session = await web.InferenceSession.create(new Uint8Array(bytes));
  const got = await exportedLogprobs(web, session, qwen2, { parts: [11, 1, 8] });
  expect(distance(got, await engineLogprobs(qwen2))).toBeLessThan(5e-5);
  await session.release();
});
