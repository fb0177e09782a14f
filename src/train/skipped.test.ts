/** Numbers that are not finite, injected into a run: the step is dropped, the rest of the run is as if it had not been. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MulliganError } from "../core/errors.ts";
import type { Metrics } from "../learn/metric-names.ts";
import { type RunFolder, runFolderAt } from "../store/run-folder.ts";
import type { MulliganConfig } from "./config.ts";
import { toySetup } from "./toy.test.kit.ts";
import { type TrainEvent, type TrainSetup, train } from "./trainer.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-skipped-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

type Where = "sample" | "loss" | "gradient";

/** A toy run whose engine breaks in the given steps; it counts those that it sees from `first` on. */
function breakingSetup(
  breaks: Readonly<Record<number, Where>>,
  overrides: Partial<MulliganConfig> = {},
  { first = 1, iteration = 1 } = {},
): TrainSetup & { state(): string } {
  const setup = toySetup({ maxSteps: 6, failuresPerStep: 4, ...overrides }, 12);
  const { engine } = setup;
  let [step, passes] = [first - 1, 0];
  const isDue = (where: Where) => breaks[step] === where && passes === iteration;
  const broken: typeof engine = {
    ...engine,
    // the trainer empties caches before each step
    forget: async () => {
      [step, passes] = [step + 1, 0];
    },
    sample: async (requests, params) => {
      if (breaks[step] === "sample") throw new MulliganError("nonfinite", "sample: got NaN");
      return engine.sample(requests, params);
    },
    forwardBackward: async (data, loss) => {
      passes++;
      const result = await engine.forwardBackward(data, loss);
      if (isDue("gradient")) engine.gradientAfter(Array.from(data[0]!.tokens)).fill(Number.NaN);
      return isDue("loss") ? { ...result, metrics: { "loss:sum": Number.NaN } } : result;
    },
  };
  /** Of the rows that training has touched; sampling makes others. */
  const state = () => JSON.stringify(engine.table().filter(([, { m }]) => m.some((moment) => moment !== 0)));
  return { ...setup, policy: { ...setup.policy, engine: broken }, state };
}

async function run(setup: TrainSetup) {
  const events: TrainEvent[] = [];
  let error: unknown;
  try {
    for await (const event of train({ folder, ...setup })) events.push(event);
  } catch (thrown) {
    error = thrown;
  }
  return { events, error, log: events.map(({ type, step }) => `${type} ${step}`) };
}

const metricsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => {
    if (event.type !== "step") return [];
    const timeless = Object.entries(event.metrics).filter(([name]) => !/time|per_second/.test(name));
    return [{ step: event.step, ...(Object.fromEntries(timeless) as Metrics) }];
  });

const skippedBatch = async (step: number) =>
  JSON.parse(await readFile(join(folder.skipped, `step-${step}.json`), "utf8"));

describe.each(["loss", "gradient"] as const)("a %s that is no number", (where) => {
  test.each([1, 2])(
    "in iteration %d drops the step and leaves weights and optimiser as before it",
    async (iteration) => {
      const numIterations = iteration;
      const setup = breakingSetup({ 2: where }, { numIterations, maxSteps: 2 }, { iteration });
      const states: string[] = [];
      const events: TrainEvent[] = [];
      for await (const event of train({ ...setup, folder })) {
        events.push(event);
        if (event.type === "step") states.push(setup.state());
      }
      expect(states[1]).toBe(states[0]);
      expect(metricsOf(events)[1]).toMatchObject({ step: 2, skipped: 1, "groups/live": expect.any(Number) });
      expect(metricsOf(events)[1]).not.toHaveProperty("grad_norm");
      expect(events.find(({ type }) => type === "warning")).toMatchObject({
        ...{ step: 2, kind: "skipped_step" },
        message: expect.stringMatching(/^the step was dropped: .*NaN/),
        hint: expect.stringContaining("skipped/step-2.json"),
      });
      expect(existsSync(folder.beforeStep)).toBe(false);
    },
  );
});

test("the batch of a dropped step is kept: tokens, weights, log-probabilities, texts and the reason", async () => {
  const { events } = await run(breakingSetup({ 1: "loss" }, { maxSteps: 1 }));
  const kept = await skippedBatch(1);
  expect(kept).toMatchObject({
    ...{ step: 1, stage: "training", reason: "the loss must be a finite number, got NaN" },
  });
  const [step] = events as [Extract<TrainEvent, { type: "step" }>];
  expect(kept.groups).toHaveLength(step.groups.length);
  expect(kept.groups[0].episodes[0]).toEqual({
    reflection: step.groups[0]!.episodes[0]!.reflection.text,
    reward: step.groups[0]!.episodes[0]!.reward,
    retries: [{ text: expect.any(String), verdict: expect.stringMatching(/^(solved|failed)$/) }],
  });
  const [datum] = kept.datums;
  const completion = kept.completions[datum.completion];
  expect([...datum.tokens, datum.target]).toEqual(completion.tokens);
  expect(datum.advantages.at(-1)).not.toBe(0);
  expect(datum.trainerLogprobs.at(-1)).toBeCloseTo(datum.logprobs.at(-1), 5);
});

test("the steps after it draw what they would have drawn, and its gradient is not in theirs", async () => {
  // a step that changes nothing because its loss broke, and one that changes nothing because its rate is 0
  const { events } = await run(breakingSetup({ 1: "loss" }, { maxSteps: 3 }));
  await rm(folder.dir, { recursive: true });
  const { events: silent } = await run(breakingSetup({}, { maxSteps: 3, warmupSteps: 1 }));
  const used = (list: readonly TrainEvent[]) =>
    list.flatMap((event) => (event.type === "step" ? [event.groups.map(({ failure }) => failure.id)] : []));
  expect(used(events)).toEqual(used(silent));
  expect(metricsOf(events)[1]!.grad_norm).toBe(metricsOf(silent)[1]!.grad_norm);
});

test("scores that are no numbers drop the step without a batch, and the next one draws others", async () => {
  const { events, log } = await run(breakingSetup({ 2: "sample" }, { maxSteps: 3 }));
  expect(log).toEqual(["step 1", "step 2", "warning 2", "step 3", "checkpoint 3", "done 3"]);
  expect(metricsOf(events)[1]).toEqual({
    ...{ step: 2, learning_rate: 0.1, skipped: 1, num_tokens: metricsOf(events)[0]!.num_tokens },
  });
  expect(await skippedBatch(2)).toEqual({ step: 2, stage: "sampling", reason: "sample: got NaN" });
  const used = events.flatMap((event) => (event.type === "step" ? event.groups : []));
  expect(new Set(used.map(({ failure }) => failure.id)).size).toBe(8);
});

describe("after maxSkippedSteps in a row", () => {
  test("of losses it stops with a checkpoint of the last good state, which loads and goes on", async () => {
    const { log, error } = await run(
      breakingSetup({ 2: "loss", 4: "loss", 5: "loss" }, { maxSkippedSteps: 2 }),
    );
    expect(log.slice(-3)).toEqual(["step 5", "warning 5", "checkpoint 5"]);
    expect(error).toMatchObject({
      code: "engine",
      message:
        "step 5: the last 2 steps were dropped, maxSkippedSteps is 2: the loss must be a finite number, got NaN",
      hint: `look into ${folder.skipped}; start again with a lower --learning-rate or --max-grad-norm, or go on with the next batch by --resume; the last good state is ${join(folder.dir, "checkpoint-5")}`,
    });
    const goingOn = breakingSetup({}, { maxSkippedSteps: 2 }, { first: 6 });
    expect((await run({ ...goingOn, resume: true })).log).toEqual(["step 6", "checkpoint 6", "done 6"]);
  });

  test("of samplings it saves nothing, and names the newest state that could be sampled", async () => {
    const breaks = { 3: "sample", 4: "sample", 5: "sample" } as const;
    const { log, error } = await run(breakingSetup(breaks, { saveSteps: 1 }));
    expect(log.filter((event) => event.startsWith("checkpoint"))).toEqual(["checkpoint 1", "checkpoint 2"]);
    // what step 2 left may be what cannot be sampled
    expect(error).toMatchObject({
      message: "step 5: the last 3 steps were dropped, maxSkippedSteps is 3: sample: got NaN",
      hint: `start again with a lower --learning-rate or --max-grad-norm; the last good state is ${join(folder.dir, "checkpoint-1")}`,
    });
  });

  test("without a checkpoint it says so, and that the last step's weights are broken even if it is the first", async () => {
    const { error, log } = await run(breakingSetup({ 6: "sample" }));
    expect(log.at(-1)).toBe("warning 6");
    expect(error).toMatchObject({
      message: expect.stringMatching(/^step 6: the last step was dropped/),
      hint: expect.stringContaining("no good state was saved: --save-steps keeps some"),
    });
  });
});

test("a validation that cannot be sampled ends the run as what it is", async () => {
  const setup = breakingSetup({});
  setup.config.eval.steps = 2;
  const evaluate = async (step: number) => {
    if (step === 2) throw new MulliganError("nonfinite", "sample: got NaN");
    return {};
  };
  const { error } = await run({ ...setup, evaluate });
  expect(error).toMatchObject({ code: "engine", message: "validation of step 2: sample: got NaN" });
  expect(await readdir(folder.dir)).toEqual([]);
});

describe("a resumed run", () => {
  const breaks = { 2: "loss", 3: "sample", 5: "gradient" } as const;
  const overrides = { numIterations: 2, collect: { refreshSteps: 2 } } as never;

  test.each([1, 2, 4, 5])("stopped after step %d is the run that was never stopped", async (stopAt) => {
    const whole = await run(breakingSetup(breaks, overrides));
    const expected = await readdir(join(folder.dir, "checkpoint-6"));
    const weights = await readFile(join(folder.dir, "checkpoint-6", "table.json"), "utf8");
    await rm(folder.dir, { recursive: true });

    const controller = new AbortController();
    const before: TrainEvent[] = [];
    for await (const event of train({
      ...breakingSetup(breaks, overrides),
      folder,
      signal: controller.signal,
    })) {
      before.push(event);
      if (event.step === stopAt) controller.abort();
    }
    const after = await run({ ...breakingSetup(breaks, overrides, { first: stopAt + 1 }), resume: true });
    expect([...metricsOf(before), ...metricsOf(after.events)]).toEqual(metricsOf(whole.events));
    expect(await readdir(join(folder.dir, "checkpoint-6"))).toEqual(expected);
    expect(await readFile(join(folder.dir, "checkpoint-6", "table.json"), "utf8")).toBe(weights);
  });

  test("counts the dropped steps in a row from before", async () => {
    const breaking = { 2: "loss", 3: "loss" } as const;
    const controller = new AbortController();
    for await (const event of train({
      ...breakingSetup(breaking, { maxSkippedSteps: 2 }),
      folder,
      signal: controller.signal,
    })) {
      if (event.step === 2) controller.abort();
    }
    const { error } = await run({
      ...breakingSetup(breaking, { maxSkippedSteps: 2 }, { first: 3 }),
      resume: true,
    });
    expect(error).toMatchObject({ message: expect.stringContaining("the last 2 steps were dropped") });
  });
});
