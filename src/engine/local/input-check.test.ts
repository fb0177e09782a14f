/** What the engine refuses, in words that name the datum, the field, the rule and the value. */
import { expect, test } from "vitest";
import type { Datum } from "../../core/datum.ts";
import type { Loss } from "../contract.ts";
import { createCore } from "./core.ts";
import { checkDatums } from "./input-check.ts";
import { tinyAdam, tinyWeights } from "./tiny.test.kit.ts";

const info = { vocabSize: 29, contextLength: 64 };
const ids = (...numbers: number[]) => Int32Array.from(numbers);
const numbers = (length: number) => new Float32Array(length);
const plain = { tokens: ids(1, 2, 3), targets: ids(2, 3, 4) };
const weighted = { ...plain, weights: numbers(3) };
const policy = { ...plain, logprobs: numbers(3), advantages: numbers(3) };
const crossEntropy: Loss = { name: "cross_entropy" };

type Case = [data: Datum[], loss: Loss | undefined, message: string];
const long = { tokens: new Int32Array(65), targets: new Int32Array(65) };
const refused: Case[] = [
  [[], undefined, "data: needs at least one datum, got none"],
  [[{ tokens: ids(), targets: ids() }], undefined, "data[0].tokens: must have 1 to 64 tokens, got 0"],
  [[plain, long], undefined, "data[1].tokens: must have 1 to 64 tokens, got 65"],
  [[{ ...plain, targets: ids(2, 3) }], undefined, "data[0].targets: needs one number per token (3), got 2"],
  [[plain], crossEntropy, "data[0].weights: needs one number per token (3), got none"],
  [
    [{ ...plain, weights: numbers(4) }],
    crossEntropy,
    "data[0].weights: needs one number per token (3), got 4",
  ],
  [
    [policy, { ...plain, advantages: numbers(3) }],
    { name: "ppo" },
    "data[1].logprobs: needs one number per token (3), got none",
  ],
  [
    [{ ...plain, logprobs: numbers(3) }],
    { name: "importance_sampling" },
    "data[0].advantages: needs one number per token (3), got none",
  ],
  [
    [policy],
    { name: "ppo", kl: "k3" },
    "data[0].referenceLogprobs: needs one number per token (3), got none",
  ],
  [
    [{ ...policy, referenceLogprobs: numbers(3) }],
    { name: "ppo", kl: "k3" },
    "data[0].klWeights: needs one number per token (3), got none",
  ],
  [[{ ...plain, tokens: ids(1, 29, 3) }], undefined, "data[0].tokens: ids must lie in 0..28, got 29"],
  [[{ ...plain, targets: ids(2, -1, 4) }], undefined, "data[0].targets: ids must lie in 0..28, got -1"],
  [[policy], { name: "ppo", temperature: 0 }, "temperature: must be above 0 for log-probabilities, got 0"],
];

test.each(refused)("%#: $2", (data, loss, message) => {
  expect(() => checkDatums(info, data, loss)).toThrow(message);
});

test("accepts what each loss needs, up to the whole context", () => {
  const full = { tokens: new Int32Array(64), targets: new Int32Array(64).fill(28) };
  expect(() => checkDatums(info, [plain, full])).not.toThrow();
  expect(() => checkDatums(info, [weighted], crossEntropy)).not.toThrow();
  expect(() => checkDatums(info, [policy], { name: "ppo" })).not.toThrow();
});

test("the engine checks before it computes: a refused call leaves no gradient", async () => {
  const engine = createCore(tinyWeights(), 1);
  const good = { ...plain, weights: numbers(3).fill(1) };
  await expect(engine.forwardBackward([good, plain], crossEntropy)).rejects.toThrow("data[1].weights");
  await expect(engine.forward([plain, long])).rejects.toMatchObject({ code: "context" });
  await expect(engine.forward([plain], { temperature: 0 })).rejects.toThrow("temperature: must be above 0");
  expect(await engine.optimStep(tinyAdam)).toEqual({ gradNorm: 0 });
  await engine.close();
});

test.each([29, -1, Number.NaN])("a prompt with the id %s is refused", async (id) => {
  const engine = createCore(tinyWeights(), 1);
  const params = { maxTokens: 1, temperature: 1, topP: 1, topK: 0, stop: [] };
  const requests = [
    { prompt: [1], seed: 0 },
    { prompt: [2, id], seed: 0 },
  ];
  await expect(engine.sample(requests, params)).rejects.toThrow(`prompt 1: ids must lie in 0..28, got ${id}`);
  await engine.close();
});
