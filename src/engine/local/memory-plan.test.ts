/** A plan's parts by hand: the tiny model's buffers are counted from its shapes, its tensors from the graph. */
import { expect, test } from "vitest";
import type { LoraConfig } from "../../model/config.ts";
import { groupsPerRun, type MemoryNeeds, planMemory } from "./memory-plan.ts";
import { tinyWeights } from "./tiny.test.kit.ts";

const { config } = tinyWeights();
// vocabulary 29, 16 channels, 24 inner, 4 heads and 2 key heads of size 4, 2 layers, tied head, biases on q, k and v
const attention = 16 * (16 + 8 + 8) + (16 + 8 + 8) + 16 * 16;
const PARAMETERS = 29 * 16 + 2 * (attention + 3 * 16 * 24 + 2 * 16) + 16;
// per layer: A [r, in] and B [out, r] of q, k, v, o, gate, up and down
const LORA_PER_RANK = 2 * (16 + 16 + (16 + 8) + (16 + 8) + (16 + 16) + 2 * (16 + 24) + (24 + 16));

const lora: LoraConfig = { r: 4, alpha: 6, useRslora: false, targetModules: "all-linear" };
const call = { groups: 2, rowsPerGroup: 3, shared: 10, own: 4 };
const needs: MemoryNeeds = {
  ...{ config, replicas: 1, reference: true, loss: { name: "ppo" } },
  ...{ trained: call, sampled: [call] },
};
const bytesOf = (changes: Partial<MemoryNeeds> = {}) =>
  Object.fromEntries(planMemory({ ...needs, ...changes }).parts.map(({ name, bytes }) => [name, bytes]));

test("full training holds the weights, as many gradients and twice as many moments", () => {
  expect(bytesOf()).toMatchObject({
    weights: 4 * PARAMETERS,
    "reference copy": 4 * PARAMETERS,
    gradient: 4 * PARAMETERS,
    moments: 8 * PARAMETERS,
  });
  expect(bytesOf({ reference: false })["reference copy"]).toBe(0);
});

test("an adapter learns in the weights' stead", () => {
  const learns = 4 * LORA_PER_RANK;
  expect(bytesOf({ config: { ...config, lora } })).toMatchObject({
    weights: 4 * PARAMETERS,
    adapter: 4 * learns,
    gradient: 4 * learns,
    moments: 8 * learns,
  });
});

test("replicas have weights and gradients of their own, and one copy in common", () => {
  const [one, two] = [bytesOf(), bytesOf({ replicas: 2 })];
  expect(two.weights).toBe(3 * one.weights!);
  expect(two.gradient).toBe(2 * one.gradient!);
  expect(two.moments).toBe(one.moments);
});

test("caches and recent steps hold each row's own tokens twice, and each group's beginning is there once", () => {
  // 2 layers, keys and values of 2 heads of 4 numbers: 128 bytes a token
  expect(bytesOf()["keys and values of the batch"]).toBe(128 * (2 * 6 * (4 + 4) + 2 * 10));
  const many = { groups: 1000, rowsPerGroup: 1, shared: 10, own: 4 };
  // 256 rows are in flight at a time
  expect(bytesOf({ sampled: [call, many] })["keys and values of the batch"]).toBe(
    128 * 256 * (2 * (4 + 4) + 10),
  );
  const long = { groups: 1, rowsPerGroup: 2, shared: 10, own: 500 };
  // 32 steps are recent at most
  expect(bytesOf({ sampled: [long] })["keys and values of the batch"]).toBe(128 * (2 * 2 * (500 + 32) + 10));
});

test("the peak is what is always there and the larger of what sampling and training add", () => {
  const { parts, peak } = planMemory(needs);
  const sum = (when: string) =>
    parts.filter((part) => part.when === when).reduce((total, { bytes }) => total + bytes, 0);
  expect(peak).toBe(sum("always") + Math.max(sum("sampling"), sum("training")));
});

test("shorter runs and activations computed again take less, and more failures than a run holds no more", () => {
  const trained = { groups: 40, rowsPerGroup: 4, shared: 40, own: 10 };
  const training = (changes: Partial<MemoryNeeds>) =>
    bytesOf({ trained, ...changes })["activations of training"]!;
  const plain = training({});
  expect(training({ trained: { ...trained, groups: 400 } })).toBe(plain);
  expect(training({ maxTokensPerRun: 256 })).toBeLessThan(0.4 * plain);
  expect(training({ gradientCheckpointing: true })).toBeLessThan(0.9 * plain);
});

test("as many groups as fill a run stand for all", () => {
  // 40 + 4 · 10 = 80 distinct tokens a group
  const shape = { groups: 400, rowsPerGroup: 4, shared: 40, own: 10 };
  expect(groupsPerRun(shape, 1024)).toBe(13);
  expect(groupsPerRun(shape, 64)).toBe(1);
  expect(groupsPerRun({ ...shape, groups: 2 }, 1024)).toBe(2);
});

test("a base as 8-bit integers takes a byte for each weight of its matrices, and a factor for each output", () => {
  const quantized = { ...config, lora, quantization: "int8" as const };
  const floats = bytesOf({ config: { ...config, lora } }).weights!;
  const integers = bytesOf({ config: quantized }).weights!;
  expect(integers).toBeGreaterThan(floats / 4);
  expect(integers).toBeLessThan(0.5 * floats);
});
