/** Failures that follow the model: when they are collected, from whom, how many, and what a resumed run makes of it. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SampleRequest } from "../engine/contract.ts";
import { type RunFolder, runFolderAt } from "../store/run-folder.ts";
import type { MulliganConfig } from "./config.ts";
import { TOY, toyConfig, toySetup } from "./toy.test.kit.ts";
import { type TrainEvent, type TrainSetup, train } from "./trainer.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-refresh-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

const problems = 12;
function refreshing(refreshSteps: number, overrides: Partial<MulliganConfig> = {}) {
  const { collect } = toyConfig();
  return toySetup({ maxSteps: 6, ...overrides, collect: { ...collect, refreshSteps } }, problems);
}

type Step = Extract<TrainEvent, { type: "step" }>;
async function stepsOf(setup: TrainSetup, onStep: (step: Step) => void = () => {}): Promise<Step[]> {
  const steps: Step[] = [];
  for await (const event of train(setup)) {
    if (event.type !== "step") continue;
    steps.push(event);
    onStep(event);
  }
  return steps;
}

/** The step at which each step's failures were collected; 0 = stage 1. */
const origins = (steps: readonly Step[]) =>
  steps.map(({ groups }) => {
    const made = new Set(groups.map(({ failure }) => Number(/@(\d+)$/.exec(failure.id)?.[1] ?? 0)));
    expect(made.size).toBe(1);
    return [...made][0];
  });

describe("the failures of a step", () => {
  test("are stage 1's for ever, or those of the last refresh", async () => {
    expect(origins(await stepsOf(refreshing(0)))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(origins(await stepsOf(refreshing(1)))).toEqual([0, 2, 3, 4, 5, 6]);
    expect(origins(await stepsOf(refreshing(2)))).toEqual([0, 0, 3, 3, 5, 5]);
    expect(origins(await stepsOf(refreshing(4)))).toEqual([0, 0, 0, 0, 5, 5]);
    expect(origins(await stepsOf(refreshing(6)))).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("are attempts of the model as it is at the refresh", async () => {
    const setup = refreshing(2);
    const steps = await stepsOf(setup, ({ step }) => {
      if (step !== 2 && step !== 4) return;
      // from here on every attempt is this one token
      const token = step === 2 ? TOY.bad : TOY.good;
      for (let p = 0; p < problems; p++)
        setup.engine
          .logitsAfter([10 + p])
          .fill(-99)
          .fill(99, token, token + 1);
    });
    const attempts = steps.map(({ groups }) => groups.map(({ failure }) => failure.attempt.tokens[0]));
    expect(attempts).toEqual([
      ...[
        [TOY.wrong, TOY.wrong],
        [TOY.wrong, TOY.wrong],
      ],
      ...[
        [TOY.bad, TOY.bad],
        [TOY.bad, TOY.bad],
      ],
      ...[
        [TOY.good, TOY.good],
        [TOY.good, TOY.good],
      ],
    ]);
  });

  test("are as many as the steps until the next refresh draw, of different problems, each drawn once", async () => {
    const setup = refreshing(3);
    const attempts: SampleRequest[] = [];
    const { sample } = setup.engine;
    setup.engine.sample = async (requests, params) => {
      attempts.push(...requests.filter(({ prompt }) => prompt.length === 1));
      return sample(requests, params);
    };
    const steps = await stepsOf({ ...setup, folder });
    const drawn = steps.slice(3).flatMap(({ groups }) => groups.map(({ failure }) => failure.problemId));
    expect(new Set(drawn).size).toBe(6);
    const lines = (await readFile(join(folder.refreshed, "failures-4.jsonl"), "utf8")).trimEnd().split("\n");
    const [header, ...kept] = lines.map((line) => JSON.parse(line));
    expect(kept.map(({ problemId }) => problemId).sort()).toEqual(drawn.sort());
    expect(header).toMatchObject({ step: 4, attempted: attempts.length, sampledTokens: attempts.length });
    // no attempt was one too many: the others were solved
    expect(header.solved).toBe(attempts.length - 6);
  });

  test("are three times as many where dead groups are replaced", async () => {
    await stepsOf({ ...refreshing(1, { maxSteps: 2, dynamicSampling: true }), folder });
    const text = await readFile(join(folder.refreshed, "failures-2.jsonl"), "utf8");
    expect(text.trimEnd().split("\n")).toHaveLength(1 + 3 * 2);
  });

  test("may be none when the model has stopped failing: the step is counted and teaches nothing", async () => {
    const setup = refreshing(1, { maxSteps: 3 });
    const steps = await stepsOf(setup, ({ step }) => {
      if (step > 1) return;
      for (let p = 0; p < problems; p++)
        setup.engine
          .logitsAfter([10 + p])
          .fill(-99)
          .fill(99, TOY.right, TOY.right + 1);
    });
    expect(steps.map(({ groups }) => groups.length)).toEqual([2, 0, 0]);
    expect(steps[2]!.metrics).toMatchObject({ "refresh/solved": 1, "refresh/failures": 0, "groups/live": 0 });
    expect(steps[2]!.metrics.grad_norm).toBeUndefined();
  });
});

test("a step that collects tells how the model fares, and counts the tokens", async () => {
  const [first, second, third] = await stepsOf({ ...refreshing(2, { maxSteps: 3 }), folder });
  expect([first, second].map((step) => step!.metrics["refresh/solved"])).toEqual([undefined, undefined]);
  const { attempted, solved } = JSON.parse(
    (await readFile(join(folder.refreshed, "failures-3.jsonl"), "utf8")).split("\n")[0]!,
  );
  expect(third!.metrics).toMatchObject({ "refresh/solved": solved / attempted, "refresh/failures": 4 });
  const tokens = (step: Step | undefined) => step!.metrics.num_tokens!;
  const trained = third!.groups.flatMap(({ episodes }) => episodes).length;
  // each attempt is one token, each episode a reflection and a retry of one token; live groups train on 3 tokens a row
  const sampled = attempted + 2 * trained;
  expect((tokens(third) - tokens(second) - sampled) % (3 * 4)).toBe(0);
});

describe.each([1, 2, 3, 4])("refreshed every %d steps, a run", (refreshSteps) => {
  const overrides = { maxSteps: 6, saveSteps: 1, dynamicSampling: true, failuresPerStep: 2 } as const;
  const setupOf = () => refreshing(refreshSteps, overrides);
  const timeless = ({ timings: _, ...step }: Step) => step;
  const filesOf = async ({ dir, refreshed }: RunFolder) => {
    const names = existsSync(refreshed) ? (await readdir(refreshed)).sort() : [];
    const kept = await Promise.all(names.map((name) => readFile(join(refreshed, name), "utf8")));
    return { names, kept, table: await readFile(join(dir, "checkpoint-6", "table.json"), "utf8") };
  };

  test("that was stopped after any step goes on as though it had never stopped", async () => {
    const whole = runFolderAt(join(folder.dir, "whole"));
    const steps = (await stepsOf({ ...setupOf(), folder: whole })).map(timeless);
    const expected = await filesOf(whole);
    expect(expected.names).toHaveLength(Math.ceil(6 / refreshSteps) - 1);
    for (let stop = 1; stop < 6; stop++) {
      const stopped = runFolderAt(join(folder.dir, `stopped-${stop}`));
      const controller = new AbortController();
      const { signal } = controller;
      await stepsOf({ ...setupOf(), folder: stopped, signal }, ({ step }) => {
        if (step === stop) controller.abort();
      });
      const rest = await stepsOf({ ...setupOf(), folder: stopped, resume: true });
      expect(rest.map(timeless)).toEqual(steps.slice(stop));
      expect(await filesOf(stopped)).toEqual(expected);
    }
    // killed: what it collected after its newest checkpoint is still there
    for (const newest of [2, 3, 4]) {
      await writeFile(whole.latest, `checkpoint-${newest}\n`);
      const rest = await stepsOf({ ...setupOf(), folder: whole, resume: true });
      expect(rest.map(timeless)).toEqual(steps.slice(newest));
      expect(await filesOf(whole)).toEqual(expected);
    }
  });
});

test("a kept set that is damaged or gone is named, and so is the way out", async () => {
  const controller = new AbortController();
  await stepsOf({ ...refreshing(3), folder, signal: controller.signal }, ({ step }) => {
    if (step === 4) controller.abort();
  });
  const resumed = () => stepsOf({ ...refreshing(3), folder, resume: true }).catch((error) => error);
  await rm(join(folder.refreshed, "failures-4.jsonl"));
  expect(await resumed()).toMatchObject({
    code: "data",
    message: expect.stringMatching(/failures-4\.jsonl: cannot be read/),
  });
});
