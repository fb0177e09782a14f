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

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
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
    // as one that was saved before digests were
    await rm(join(folder.dir, "checkpoint-1", "digests.json"));
    for (const damaged of [whole.slice(0, 20), whole.replace('"step": 1', '"step": -1')]) {
      await writeFile(path, damaged);
      await expect(run({ ...toySetup(overrides, 7), folder, resume: true })).rejects.toMatchObject({
        code: "checkpoint",
        message: expect.stringContaining("trainer_state.json: must be a trainer's state"),
      });
    }
  });

  test.each(["table.json", "trainer_state.json", "digests.json"])(
    "that has lost the end of %s, or one bit of it, is named, and the one before it is offered",
    async (name) => {
      await run({ ...toySetup({ maxSteps: 2, saveSteps: 1 }), folder });
      const path = join(folder.dir, "checkpoint-2", name);
      const whole = await readFile(path);
      for (const damaged of [whole.subarray(0, -3), flipped(whole, 20)]) {
        await writeFile(path, damaged);
        await expect(run({ ...toySetup({ maxSteps: 3 }), folder, resume: true })).rejects.toMatchObject({
          code: "checkpoint",
          message: expect.stringContaining(`${join("checkpoint-2", name)}: must `),
          hint: `go on from the checkpoint before it: mulligan train --output-dir ${folder.dir} --resume --from checkpoint-1`,
        });
      }
    },
  );
});

describe("of checkpoints with a limit", () => {
  const scores: Record<number, number> = { 1: 0.2, 2: 0.5, 3: 0.5, 4: 0.1, 5: 0.3, 6: 0.4 };
  const limited = { ...overrides, saveSteps: 1, saveTotalLimit: 2 };
  const setupOf = (changes: Partial<MulliganConfig> = {}) => {
    const setup = toySetup({ ...limited, ...changes }, 7);
    setup.config.eval.steps = 1;
    return { ...setup, folder, evaluate: async (step: number) => ({ "eval/second_try": scores[step] ?? 0 }) };
  };
  const names = async () =>
    (await readdir(folder.dir)).filter((name) => name.startsWith("checkpoint")).sort();
  const best = () => readFile(folder.best, "utf8");

  test("the newest are left, and the best one: the earliest of equals", async () => {
    await run(setupOf());
    expect(await names()).toEqual(["checkpoint-2", "checkpoint-6"]);
    expect(await best()).toBe("checkpoint-2\n");
  });

  test("the best is by the metric that was asked for, among checkpoints of validated steps", async () => {
    const setup = setupOf({ saveSteps: 2, saveTotalLimit: 0, metricForBestModel: "eval/rescue" });
    const evaluate = async (step: number) => ({
      "eval/second_try": 1 / step,
      "eval/rescue": step === 3 ? 1 : 1 / step,
    });
    await run({ ...setup, evaluate });
    expect(await best()).toBe("checkpoint-2\n");
    expect(await names()).toEqual(["checkpoint-2", "checkpoint-4", "checkpoint-6"]);
  });

  test.each([1, 2, 3, 4, 5])(
    "a run that was stopped after step %d ends with the same ones, byte for byte",
    async (stop) => {
      await run(setupOf());
      const state = await readFile(join(folder.dir, "checkpoint-6", "trainer_state.json"), "utf8");
      const expected = [await names(), await best()];
      await rm(folder.dir, { recursive: true });
      const controller = new AbortController();
      for await (const event of train({ ...setupOf(), signal: controller.signal })) {
        // the step's own validation does not come: it is owed
        if (event.type === "step" && event.step === stop) controller.abort();
      }
      await run({ ...setupOf(), resume: true });
      expect([await names(), await best()]).toEqual(expected);
      expect(await readFile(join(folder.dir, "checkpoint-6", "trainer_state.json"), "utf8")).toBe(state);
    },
  );

  test("a kill before the best was named and the oldest removed is made good", async () => {
    await run(setupOf({ saveTotalLimit: 0 }));
    await writeFile(folder.latest, "checkpoint-5\n");
    await writeFile(folder.best, "checkpoint-1\n");
    const events = train({ ...setupOf(), resume: true });
    await events.next();
    await events.return();
    expect(await best()).toBe("checkpoint-2\n");
    // 6 is of the steps that are taken again
    expect(await names()).toEqual(["checkpoint-2", "checkpoint-5", "checkpoint-6"]);
  });
});
