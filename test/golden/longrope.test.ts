/**
 * A longrope model beyond the length that its short factors are for: transformers then takes the long factors for every
 * position, so what was computed before is no longer true. The engine refuses such texts (docs/decisions/0011).
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createCore } from "../../src/engine/local/core.ts";
import { loadModel, type Model } from "../../src/model/folder.ts";
import { openSafetensors } from "../../src/model/safetensors.ts";

const folder = fileURLToPath(new URL("../fixtures/golden/phi3-longrope", import.meta.url));
const { beyond } = JSON.parse(readFileSync(`${folder}/cases.json`, "utf8")) as {
  beyond: { input_ids: number[][]; logprobs: string };
};
const ids = beyond.input_ids[0]!;
const datum = { tokens: Int32Array.from(ids.slice(0, -1)), targets: Int32Array.from(ids.slice(1)) };

/** The largest distance of a log-probability from transformers' over the long text. */
async function distance(model: Model): Promise<number> {
  const numbers = await openSafetensors(`${folder}/cases.safetensors`);
  const expected = await numbers.read(beyond.logprobs);
  await numbers.close();
  const engine = createCore(model, 1);
  const [logprobs] = await engine.forward([datum]);
  await engine.close();
  return Math.max(...logprobs!.map((value, t) => Math.abs(value - expected[t]!)));
}

test("a text longer than the original length is refused, in training and as a prompt", async () => {
  const engine = createCore(await loadModel(folder), 1);
  expect([engine.info.contextLength, datum.tokens.length]).toEqual([24, 29]);
  const hint = expect.stringContaining("original_max_position_embeddings");
  await expect(engine.forward([datum])).rejects.toMatchObject({ code: "context", hint });
  const params = { maxTokens: 4, temperature: 1, topP: 1, topK: 0, stop: [] };
  const prompt = ids.slice(0, 24);
  await expect(engine.sample([{ prompt, seed: 1 }], params)).rejects.toMatchObject({ code: "context", hint });
  const [sample] = await engine.sample([{ prompt: ids.slice(0, 22), seed: 1 }], params);
  expect([sample!.tokens.length, sample!.stopReason]).toEqual([2, "length"]);
  await engine.close();
});

test("with the long factors at every position the text has transformers' numbers, with the short ones not", async () => {
  const model = await loadModel(folder);
  const { config } = model;
  const { scaling } = config.rope;
  if (scaling?.kind !== "longrope") throw new Error("not a longrope model");
  const wide: Model = { ...model, config: { ...config, contextLength: 96 } };
  const long = { ...config.rope, scaling: { ...scaling, shortFactors: scaling.longFactors } };
  expect(await distance({ ...wide, config: { ...wide.config, rope: long } })).toBeLessThan(5e-5);
  expect(await distance(wide)).toBeGreaterThan(0.01);
});
