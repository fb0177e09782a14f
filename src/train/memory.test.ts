/** A run's memory: what its settings ask of the engine, its refusal, and the try that leaves nothing behind. */
import { expect, test } from "vitest";
import type { MemoryPlan } from "../engine/index.ts";
import { createCore } from "../engine/local/core.ts";
import { tinyAdam, tinyTexts, tinyWeights } from "../engine/local/tiny.test.kit.ts";
import { MulliganConfig } from "./config.ts";
import { requireMemory, tryLargest, workOf } from "./memory.ts";

const lengths = { prompt: 100, asked: 130, retry: 150 };

test.each([
  // prompt, attempt and the question come before each of 4 reflections
  ["reflection", { groups: 2, rowsPerGroup: 4, shared: 130 + 20, own: 50 }],
  ["answer", { groups: 2, rowsPerGroup: 4, shared: 100, own: 20 }],
  // after it the second question, 150 − 130, and another attempt; 3 for each reflection
  ["retry", { groups: 2, rowsPerGroup: 12, shared: 130 + 20, own: 50 + 20 + 20 }],
] as const)("%s: a step's data when every turn is as long as allowed", (learnFrom, trained) => {
  const settings = MulliganConfig.parse({
    ...{ learnFrom, failuresPerStep: 2, numGenerations: 4, retriesPerReflection: 3 },
    ...{ maxAttemptLength: 20, maxCompletionLength: 50 },
  });
  expect(workOf(settings, lengths).trained).toEqual(trained);
});

const largest = { groups: 2, rowsPerGroup: 3, shared: 10, own: 4 };
const plan: MemoryPlan = {
  peak: 3 * 2 ** 30,
  parts: [
    { name: "weights", bytes: 2 ** 30, when: "always" },
    { name: "activations of training", bytes: 2 ** 31, when: "training" },
  ],
};

test("a plan beyond what is free is refused with numbers and the ways that are left", () => {
  const settings = MulliganConfig.parse({ gradientCheckpointing: true });
  expect(() => requireMemory({ plan }, 3 * 2 ** 30, settings)).not.toThrow();
  expect(() => requireMemory({ plan }, 2 ** 30, settings)).toThrow(
    expect.objectContaining({
      code: "engine",
      message:
        "memory: a run must fit in what is free, 1.0 GiB, got a plan of 3.0 GiB: activations of training 2.0 GiB, weights 1.0 GiB",
      hint: "try --lora-r 16, --max-tokens-per-run 512, a smaller --num-generations or --max-completion-length; or go on all the same with --memory-check warn",
    }),
  );
});

test("trying the largest run leaves no trace in what is learnt", async () => {
  const [tried, plain] = [createCore(tinyWeights(), 1), createCore(tinyWeights(), 1)];
  await tryLargest(tried, largest);
  const data = tinyTexts([20, 7]);
  const results = [];
  for (const engine of [tried, plain]) {
    await engine.forwardBackward(data, { name: "cross_entropy" });
    results.push([await engine.optimStep(tinyAdam), await engine.forward(data)]);
    await engine.close();
  }
  expect(results[0]).toEqual(results[1]);
});

test("trying the largest run computes every token that may be learnt", async () => {
  const shapes: number[][] = [];
  const engine = {
    info: createCore(tinyWeights(), 1).info,
    forwardBackward: async (data: readonly { tokens: Int32Array; klWeights?: Float32Array }[]) => {
      for (const { tokens, klWeights } of data) {
        shapes.push([tokens.length, klWeights!.filter((weight) => weight !== 0).length]);
      }
      return { logprobs: [], metrics: {} };
    },
  };
  await tryLargest(engine, largest);
  // 14 tokens are 13 inputs, of which those from the last shared one on have a target that is learnt
  expect(shapes).toEqual(Array(6).fill([13, 4]));
});
