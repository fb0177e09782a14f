import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RunFolder, runFolderAt } from "../store/run-folder.ts";
import type { MulliganConfig } from "./config.ts";
import { toySetup } from "./toy.test.kit.ts";
import { type TrainSetup, train } from "./trainer.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-checkpoint-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

async function run(setup: TrainSetup) {
  const rescues: (number | undefined)[] = [];
  const tokens: (number | undefined)[] = [];
  const events: string[] = [];
  for await (const event of train(setup)) {
    if (event.type !== "warning") events.push(`${event.type} ${event.step}`);
    if (event.type === "step") {
      rescues.push(event.metrics["rescue/rate"]);
      tokens.push(event.metrics.num_tokens);
    }
  }
  return { rescues, tokens, events };
}

const overrides = { maxSteps: 6, dynamicSampling: true, numIterations: 2 } as const;

async function stopAfter(step: number, changes: Partial<MulliganConfig> = {}) {
  const controller = new AbortController();
  const setup = toySetup({ ...overrides, ...changes }, 7);
  for await (const event of train({ ...setup, folder, signal: controller.signal })) {
    if (event.type === "step" && event.step === step) controller.abort();
  }
}

describe("a checkpoint", () => {
  test("lets a stopped run go on as though it had never stopped", async () => {
    const whole = toySetup(overrides, 7);
    const { rescues, tokens } = await run(whole);
    await stopAfter(2);
    const rest = toySetup(overrides, 7);
    const resumed = await run({ ...rest, folder, resume: true });
    expect(resumed.events[0]).toBe("step 3");
    expect(resumed.rescues).toEqual(rescues.slice(2));
    expect(resumed.tokens).toEqual(tokens.slice(2));
    for (const failure of rest.failures) {
      const prefix = [...failure.conversation.tokens, 1];
      expect(rest.engine.logitsAfter(prefix)).toEqual(whole.engine.logitsAfter(prefix));
    }
  });

  test("is saved every saveSteps steps and at the end, and evaluation at 0 is not repeated", async () => {
    const evaluate = async () => ({});
    const { events } = await run({ ...toySetup({ maxSteps: 3, saveSteps: 2 }), folder, evaluate });
    const saved = [
      "evaluation 0",
      "step 1",
      "step 2",
      "checkpoint 2",
      "step 3",
      "evaluation 3",
      "checkpoint 3",
    ];
    expect(events).toEqual([...saved, "done 3"]);
    expect((await readdir(folder.dir)).sort()).toEqual(["checkpoint-2", "checkpoint-3", "latest"]);
    const longer = await run({ ...toySetup({ maxSteps: 4 }), folder, evaluate, resume: true });
    expect(longer.events).toEqual(["step 4", "evaluation 4", "checkpoint 4", "done 4"]);
  });

  test("starts from the beginning when the run to resume has none", async () => {
    const { events } = await run({ ...toySetup({ maxSteps: 1 }), folder, resume: true });
    expect(events).toEqual(["step 1", "checkpoint 1", "done 1"]);
  });

  test("names the setting that is not the run's own", async () => {
    await stopAfter(1);
    const setup = toySetup({ ...overrides, learningRate: 0.5 }, 7);
    await expect(run({ ...setup, folder, resume: true })).rejects.toMatchObject({
      code: "config",
      message: "learningRate: must be as when the run began, 0.1, got 0.5",
    });
  });

  test("says when its state is damaged", async () => {
    await stopAfter(1);
    const path = join(folder.dir, "checkpoint-1", "trainer_state.json");
    const whole = await readFile(path, "utf8");
    for (const damaged of [whole.slice(0, 20), whole.replace('"step": 1', '"step": -1')]) {
      await writeFile(path, damaged);
      await expect(run({ ...toySetup(overrides, 7), folder, resume: true })).rejects.toMatchObject({
        code: "checkpoint",
        message: expect.stringContaining("trainer_state.json: must be a trainer's state"),
      });
    }
  });
});
