/** What a run takes of the disk while it goes on, against its plan; and a user whose disk is too small for it. */
import { lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runFolderAt } from "../../src/store/run-folder.ts";
import { MulliganConfig } from "../../src/train/config.ts";
import { runExperiment } from "../../src/train/experiment.ts";
import { planWork } from "../../src/train/run-plan.ts";
import { openSetup } from "../../src/train/setup.ts";
import { makeFolder, makeTinyModel, run, tiny } from "./tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let model: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  // wide enough that weights are most of a checkpoint
  model = await makeTinyModel(join(folder, "model"), { hidden_size: 64, intermediate_size: 128 });
});
afterAll(() => remove());

async function bytesIn(path: string): Promise<number> {
  const found = await lstat(path);
  if (!found.isDirectory()) return found.size;
  const sizes = await Promise.all((await readdir(path)).map((name) => bytesIn(join(path, name))));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

test.each([
  { maxSteps: 4, saveTotalLimit: 1, most: 3 },
  { maxSteps: 2, saveTotalLimit: 0, most: 2 },
])(
  "a run of $maxSteps steps with saveTotalLimit $saveTotalLimit holds at the most $most states at a time, as planned",
  async ({ maxSteps, saveTotalLimit, most }) => {
    const config = MulliganConfig.parse({
      // random rewards, since a model that solves nothing has nothing to learn from; the first checkpoint stays the best one
      ...{ task: "countdown", taskOptions: { wording: "compact" }, reward: "random" },
      ...{ model, outputDir: join(folder, `limit-${saveTotalLimit}`), threads: 1, learningRate: 0.01 },
      ...{
        maxSteps,
        saveSteps: 1,
        saveTotalLimit,
        failuresPerStep: 3,
        numGenerations: 2,
      },
      ...{ numIterations: 2, maxAttemptLength: 6, maxCompletionLength: 6, collect: { maxProblems: 12 } },
      eval: { validationProblems: 4, testProblems: 4, steps: 1, bootstrap: 100 },
    });
    const setup = await openSetup(config);
    const run = runFolderAt(config.outputDir);
    await mkdir(run.dir);
    /** Names and bytes of the states that are there each time that one was written. */
    const states: { names: string[]; bytes: number }[] = [];
    const { engine } = setup.policy;
    const saveState = async (path: string) => {
      await engine.saveState(path);
      const names = (await readdir(run.dir)).filter((name) => /^(checkpoint-|before-step)/.test(name));
      const sizes = await Promise.all(names.map((name) => bytesIn(join(run.dir, name))));
      states.push({ names, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) });
    };
    try {
      const { disk } = await planWork(config, setup);
      const policy = { ...setup.policy, engine: { ...engine, saveState } };
      await runExperiment({ ...setup, policy }, { folder: run });

      const planned = Object.fromEntries(disk.map(({ name, bytes }) => [name.replace(/^\d+ /, ""), bytes]));
      expect(disk[0]!.name).toBe(`${most} checkpoints`);
      expect(
        states
          .map(({ names }) => names.length)
          .sort()
          .at(-1),
      ).toBe(most);
      expect(states.some(({ names }) => names.includes("before-step"))).toBe(true);
      const peak = Math.max(...states.map(({ bytes }) => bytes));
      expect(peak / planned.checkpoints!).toBeGreaterThan(0.95);
      expect(peak / planned.checkpoints!).toBeLessThan(1.05);
      expect((await bytesIn(join(run.model, "model.safetensors"))) / planned["trained model"]!).toBeCloseTo(
        1,
        1,
      );
      const { failures, traces, validationStart, testStart, testTrained } = run;
      const files = [failures, traces, validationStart, testStart, testTrained];
      const sampled = (await Promise.all(files.map(bytesIn))).reduce((sum, bytes) => sum + bytes, 0);
      expect(sampled).toBeLessThan(planned["what was sampled"]!);
      expect(sampled).toBeGreaterThan(planned["what was sampled"]! / 4);
    } finally {
      await setup.close();
    }
  },
);

test("a run or a collection that may not fit on the disk is warned of before it begins", async () => {
  const flags = { ...tiny, "--model": model, "--output-dir": join(folder, "large") };
  const endless = { "--max-steps": 1e9, "--save-steps": 1 };
  const trained = await run("train", { ...flags, ...endless }, { stopAt: /the disk may become full/ });
  expect(trained.err).toMatch(
    /^warning: the disk may become full: about [\d.]+ GiB at the most, of [\d.]+ GiB free; the largest part: 1,000,000,000 checkpoints, .*\nhint: make room/,
  );
  expect(trained.code).toBe(130);
  const tries = {
    "--preset": "mini",
    "--model": model,
    "--output-dir": join(folder, "tries"),
    "--threads": 1,
  };
  const collected = await run(
    "collect",
    { ...tries, "--collect.max-problems": 12, "--collect.tries": 1e9 },
    { stopAt: /the disk may become full/ },
  );
  expect(collected.err).toMatch(/; the largest part: what was sampled, .*\nhint: make room/);
  const dry = await run("train", { ...flags, ...endless, "--dry-run": true });
  expect(dry.err).toContain("\nwarning: the disk may become full: about ");
  const enough = await run("train", { ...flags, "--dry-run": true });
  expect(enough.err).not.toContain("warning");
});
