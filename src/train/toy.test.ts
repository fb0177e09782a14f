/** The method end to end on a true gradient: does rewarding only reflections find the one that helps? */
import { describe, expect, test } from "vitest";
import type { MulliganConfig } from "./config.ts";
import { softmax } from "./softmax-table.test.kit.ts";
import { TOY, toySetup } from "./toy.test.kit.ts";
import { train } from "./trainer.ts";

const problem = 10;
const beforeReflection = [problem, TOY.wrong, TOY.turn];

async function probabilityOfGood(overrides: Partial<MulliganConfig>) {
  const setup = toySetup(
    { maxSteps: 60, failuresPerStep: 1, numGenerations: 16, learningRate: 0.1, ...overrides },
    1,
  );
  for await (const _ of train(setup));
  return { engine: setup.engine, p: softmax(setup.engine.logitsAfter(beforeReflection))[TOY.good]! };
}

describe("one reflection decides whether the retry succeeds", () => {
  test.each([0, 1, 2])("RRR drives its probability to 1 (seed %i)", async (seed) => {
    // untrained 1/6, about two of sixteen siblings
    expect((await probabilityOfGood({ seed })).p).toBeGreaterThan(0.95);
  });

  test.each(["group", "batch", "none"] as const)("also with scaleRewards %s", async (scaleRewards) => {
    expect((await probabilityOfGood({ scaleRewards })).p).toBeGreaterThan(0.9);
  });

  test.each(["grpo", "bnpo", "dr_grpo", "dapo"] as const)("also with lossType %s", async (lossType) => {
    expect((await probabilityOfGood({ lossType })).p).toBeGreaterThan(0.95);
  });

  test.each([0, 1, 2, 3, 4])("a random reward does not (seed %i)", async (seed) => {
    expect((await probabilityOfGood({ seed, reward: "random" })).p).toBeLessThan(0.5);
  });

  test("an inverted reward drives it to 0", async () => {
    expect((await probabilityOfGood({ reward: "inverted" })).p).toBeLessThan(0.02);
  });

  test("the retry that succeeded learns exactly nothing", async () => {
    const { engine } = await probabilityOfGood({});
    expect(engine.logitsAfter([...beforeReflection, TOY.good, TOY.turn])).toEqual([0, 0, 0, 0, 6, 0]);
    expect(engine.logitsAfter([problem])).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("learning from retries instead moves the retry and leaves reflections alone", async () => {
    const { engine } = await probabilityOfGood({ learnFrom: "retry" });
    expect(engine.logitsAfter(beforeReflection)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(engine.logitsAfter([...beforeReflection, TOY.bad, TOY.turn])[TOY.right]).toBeGreaterThan(0);
  });

  test("plain GRPO learns the answer of the first attempt", async () => {
    const { engine } = await probabilityOfGood({ learnFrom: "answer" });
    expect(softmax(engine.logitsAfter([problem]))[TOY.right]).toBeGreaterThan(0.95);
    expect(engine.logitsAfter(beforeReflection)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("a strong KL term holds the policy back", async () => {
    const { p } = await probabilityOfGood({ beta: 5 });
    expect(p).toBeLessThan(0.4);
  });
});
