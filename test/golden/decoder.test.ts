/**
 * The decoder against Hugging Face's own modelling code: logits via log-probabilities, gradients and greedy tokens.
 * The reference folders are not part of this repository; without them these tests are skipped, and the small ones in
 * test/fixtures/golden stand in.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { createCore } from "../../src/engine/local/core.ts";
import { passOf, releaseSessions } from "../../src/engine/local/training/passes.test.kit.ts";
import { loadModel } from "../../src/model/folder.ts";
import { openSafetensors } from "../../src/model/safetensors.ts";

interface Cases {
  cases: {
    name: string;
    lengths: number[];
    input_ids: number[][];
    logprobs: string;
    logprob_sums: number[];
  }[];
  grad: { case: string; weights: number[]; loss: number; params: string[] };
  greedy: { prompt: number[]; new_tokens: number[] }[];
}

afterAll(releaseSessions);

const places = ["../../../shared/golden", "../fixtures/golden"]
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .filter((path) => existsSync(path))
  .flatMap((path) => readdirSync(path).map((name) => `${path}/${name}`))
  .filter((folder) => existsSync(`${folder}/cases.json`));

describe.each(places)("%s", (folder) => {
  const reference = JSON.parse(readFileSync(`${folder}/cases.json`, "utf8")) as Cases;
  const datum = (ids: number[]) => ({
    tokens: Int32Array.from(ids.slice(0, -1)),
    targets: Int32Array.from(ids.slice(1)),
  });

  test("matches reference log-probabilities", async () => {
    const engine = createCore(await loadModel(folder), 2);
    const numbers = await openSafetensors(`${folder}/cases.safetensors`);
    for (const { input_ids, lengths, logprobs, logprob_sums } of reference.cases) {
      const rows = input_ids.map((ids, row) => datum(ids.slice(0, lengths[row])));
      const got = await engine.forward(rows);
      const expected = await numbers.read(logprobs);
      const width = input_ids[0]!.length - 1;
      got.forEach((row, b) => {
        row.forEach((value, t) => {
          expect(Math.abs(value - expected[b * width + t]!)).toBeLessThan(5e-5);
        });
        expect(Math.abs(row.reduce((a, x) => a + x, 0) - logprob_sums[b]!)).toBeLessThan(1e-4);
      });
    }
    await numbers.close();
    await engine.close();
  });

  test("matches reference gradients", async () => {
    const weights = await loadModel(folder);
    const numbers = await openSafetensors(`${folder}/cases.safetensors`);
    const { grad } = reference;
    const ids = reference.cases.find(({ name }) => name === grad.case)!.input_ids[0]!;
    const data = [{ ...datum(ids), weights: Float32Array.from(grad.weights) }];
    const { loss, gradient } = await passOf(weights, data, { name: "cross_entropy" });
    expect(Math.abs(loss - grad.loss)).toBeLessThan(1e-4);
    for (const { name, offset, size } of weights.parameters) {
      const expected = await numbers.read(`grad.${name}`);
      const got = gradient.subarray(offset, offset + size);
      const distance = Math.hypot(...got.map((value, i) => value - expected[i]!));
      expect(distance / Math.hypot(...expected), name).toBeLessThan(5e-5);
    }
    await numbers.close();
  });

  test("matches reference greedy tokens", async () => {
    const engine = createCore(await loadModel(folder), 2);
    const params = { maxTokens: 12, temperature: 0, topP: 1, topK: 0, stop: [] };
    const samples = await engine.sample(
      reference.greedy.map(({ prompt }) => ({ prompt, seed: 0 })),
      params,
    );
    samples.forEach(
      (sample, i) => void expect(Array.from(sample.tokens)).toEqual(reference.greedy[i]!.new_tokens),
    );
    await engine.close();
  });
});
