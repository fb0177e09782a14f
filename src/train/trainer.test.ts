import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Datum } from "../core/datum.ts";
import type { Engine, SampleRequest } from "../engine/contract.ts";
import { createRunFolder } from "../store/folder-claim.ts";
import { TOY, toyFailures, toySetup } from "./toy.test.kit.ts";
import { type TrainEvent, type TrainSetup, train } from "./trainer.ts";

type StepEvent = Extract<TrainEvent, { type: "step" }>;

async function eventsOf(setup: TrainSetup): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(setup)) events.push(event);
  return events;
}

async function stepsOf(setup: TrainSetup): Promise<StepEvent[]> {
  return (await eventsOf(setup)).filter((event) => event.type === "step");
}

/** The setup with every call to its engine written down. */
function recorded<Setup extends TrainSetup>(setup: Setup) {
  const samples: SampleRequest[][] = [];
  const data: Datum[][] = [];
  let optimSteps = 0;
  const { engine } = setup.policy;
  const watched: Engine = {
    ...engine,
    sample: (requests, params) => {
      samples.push([...requests]);
      return engine.sample(requests, params);
    },
    forwardBackward: (datums, loss) => {
      data.push([...datums]);
      return engine.forwardBackward(datums, loss);
    },
    optimStep: (params) => {
      optimSteps++;
      return engine.optimStep(params);
    },
  };
  const policy = { ...setup.policy, engine: watched };
  return { setup: { ...setup, policy }, samples, data, optimSteps: () => optimSteps };
}

/** A verifier by retry count, so that a test decides which of the siblings succeed. */
const verifyInTurn = (answers: (boolean | null)[]) => {
  let asked = 0;
  return () => answers[asked++ % answers.length];
};

describe("train", () => {
  test("samples G reflections on each of failuresPerStep failures, then a retry after each", async () => {
    const { setup, samples } = recorded(toySetup({ maxSteps: 2 }));
    const steps = await stepsOf(setup);
    expect(samples.map((requests) => requests.length)).toEqual([8, 8, 8, 8]);
    const used = steps.map(({ groups }) => groups.map(({ failure }) => failure.id));
    expect(used.flat().sort()).toEqual(["p0#0", "p1#0", "p2#0", "p3#0"]);
    for (const { groups } of steps) {
      for (const { failure, episodes } of groups) {
        expect(episodes.map(({ failureId }) => failureId)).toEqual(Array(4).fill(failure.id));
      }
    }
  });

  test("puts advantages on the reflection's tokens and exactly zero on every other", async () => {
    const base = toySetup({ maxSteps: 1, failuresPerStep: 1 });
    const task = { ...base.task, verify: verifyInTurn([true, false, false, false]) };
    const { setup, data } = recorded({ ...base, task });
    const [step] = await stepsOf(setup);
    expect(data).toHaveLength(1);
    for (const [i, datum] of data[0]!.entries()) {
      const { conversation, reflection } = step!.groups[0]!.episodes[i]!;
      // prompt, attempt, reflection prompt, reflection: the retry is not even there
      expect([...datum.tokens, datum.targets.at(-1)]).toEqual(conversation.tokens.slice(0, 4));
      expect(datum.targets.at(-1)).toBe(reflection.tokens[0]);
      expect([...datum.advantages!.slice(0, 2)]).toEqual([0, 0]);
    }
    // rewards 1 0 0 0: (r - 1/4) / (std + 1e-4) with std = 1/2, divided by 4 tokens (dapo)
    const learnt = data[0]!.map(({ advantages }) => advantages![2]!);
    const expected = [0.75, -0.25, -0.25, -0.25].map((centred) => centred / 0.5001 / 4);
    for (const [i, advantage] of learnt.entries()) expect(advantage).toBeCloseTo(expected[i]!, 6);
  });

  test("counts a step without a live group but takes no optimiser step", async () => {
    const base = toySetup({ maxSteps: 2 });
    const { setup, data, optimSteps } = recorded({ ...base, task: { ...base.task, verify: () => false } });
    const steps = await stepsOf(setup);
    expect(steps.map(({ step }) => step)).toEqual([1, 2]);
    expect(steps[0]!.metrics).toMatchObject({
      reward: 0,
      frac_reward_zero_std: 1,
      "groups/all_failed": 2,
      "rescue/rate": 0,
    });
    expect(steps[0]!.metrics.grad_norm).toBeUndefined();
    expect([data.length, optimSteps()]).toEqual([0, 0]);
  });

  test("trains on the live groups only", async () => {
    const base = toySetup({ maxSteps: 1 });
    const answers = [true, false, true, false, true, true, true, true]; // first group live, second all passed
    const { setup, data } = recorded({ ...base, task: { ...base.task, verify: verifyInTurn(answers) } });
    const [step] = await stepsOf(setup);
    expect(data[0]).toHaveLength(4);
    expect(step!.metrics).toMatchObject({ "groups/live": 1, "groups/all_passed": 1, reward: 0.75 });
  });

  test("leaves unscored retries out of their group", async () => {
    const base = toySetup({ maxSteps: 1, failuresPerStep: 1 });
    const { setup, data } = recorded({
      ...base,
      task: { ...base.task, verify: verifyInTurn([true, null, false, null]) },
    });
    const [step] = await stepsOf(setup);
    expect(data[0]).toHaveLength(2);
    expect(step!.metrics).toMatchObject({ "rescue/rate": 0.5, "groups/live": 1 });
  });

  test("replaces dead groups by further failures when sampling is dynamic, three times as many at most", async () => {
    const dead = [false, false, false, false];
    const live = [true, false, false, false];
    const run = async (answers: boolean[], count: number) => {
      const base = toySetup({ maxSteps: 1, dynamicSampling: true }, count);
      const { setup, data } = recorded({ ...base, task: { ...base.task, verify: verifyInTurn(answers) } });
      const [step] = await stepsOf(setup);
      return { groups: step!.groups.map(({ failure }) => failure.id), datums: data.flat().length };
    };
    // 2 wanted: dead and live, then one more: live
    const replaced = await run([...dead, ...live, ...live], 10);
    expect(new Set(replaced.groups).size).toBe(3);
    expect(replaced.datums).toBe(8);
    expect((await run(dead, 10)).groups).toHaveLength(6);
    expect((await run(dead, 3)).groups).toHaveLength(3);
  });

  test("makes the same calls for the same seed and others for another", async () => {
    const callsOf = async (seed: number) => {
      const { setup, samples, data } = recorded(toySetup({ seed }));
      await stepsOf(setup);
      return { samples, data };
    };
    expect(await callsOf(1)).toEqual(await callsOf(1));
    expect((await callsOf(1)).samples).not.toEqual((await callsOf(2)).samples);
  });

  test("draws a failure's episodes by step and failure, not by what shares its step", async () => {
    const seedsOf = async (count: number) => {
      const { setup, samples } = recorded(toySetup({ maxSteps: 1, failuresPerStep: count }, count));
      await stepsOf(setup);
      return samples.map((requests) => requests.filter(({ prompt }) => prompt[0] === 10).map((r) => r.seed));
    };
    expect(await seedsOf(1)).toEqual(await seedsOf(4));
  });

  test("reports the verifier's rescue rate also when the reward is another", async () => {
    const base = toySetup({ maxSteps: 1, reward: "inverted" });
    const [step] = await stepsOf({ ...base, task: { ...base.task, verify: () => true } });
    expect(step!.metrics).toMatchObject({ reward: 0, "rewards/verifier/mean": 1, "rescue/rate": 1 });
  });

  test("counts sampled and trained tokens, the latter once per iteration", async () => {
    const base = toySetup({ maxSteps: 2, failuresPerStep: 1, numIterations: 3 });
    const steps = await stepsOf({
      ...base,
      task: { ...base.task, verify: verifyInTurn([true, false, false, false]) },
    });
    // 4 reflections and 4 retries of one token; 4 datums of 3 tokens, 3 times
    expect(steps.map(({ metrics }) => metrics.num_tokens)).toEqual([44, 88]);
  });

  test("learns from first attempts at training problems, without any failure", async () => {
    const base = toySetup({ maxSteps: 1, learnFrom: "answer" });
    const { setup, samples } = recorded({ ...base, failures: [] });
    const [step] = await stepsOf(setup);
    expect(samples.map((requests) => requests.map(({ prompt }) => prompt.length))).toEqual([
      Array(8).fill(1),
    ]);
    expect(step!.groups).toEqual([]);
    expect(step!.metrics["rescue/rate"]).toBeUndefined();
  });

  test("evaluates at step 0, every eval.steps steps and after the last", async () => {
    const setup = toySetup({ maxSteps: 5 });
    setup.config.eval.steps = 2;
    const events = await eventsOf({ ...setup, evaluate: async (step) => ({ step }) });
    const evaluated = events.filter(({ type }) => type === "evaluation").map(({ step }) => step);
    expect(evaluated).toEqual([0, 2, 4, 5]);
    expect(events.at(-1)).toEqual({ type: "done", step: 5 });
  });

  test("finishes the step under way when stopped", async () => {
    const controller = new AbortController();
    const events: string[] = [];
    for await (const event of train({ ...toySetup(), signal: controller.signal })) {
      events.push(`${event.type} ${event.step}`);
      if (event.step === 2) controller.abort();
    }
    expect(events).toEqual(["step 1", "step 2", "stopped 2"]);
  });
});

test("a validation that a stop prevented comes first when the run goes on, and a run that owes one is not done", async () => {
  const dir = await mkdtemp(join(tmpdir(), "mulligan-trainer-"));
  try {
    const folder = await createRunFolder(dir);
    const run = async (stopAt: number, resume: boolean) => {
      const controller = new AbortController();
      const setup = toySetup({ maxSteps: 3 });
      setup.config.eval.steps = 2;
      const events: string[] = [];
      for await (const event of train({
        ...setup,
        ...{ folder, resume, signal: controller.signal },
        evaluate: async (step) => ({ step }),
      })) {
        events.push(`${event.type} ${event.step}`);
        if (event.type === "step" && event.step === stopAt) controller.abort();
      }
      return events;
    };
    const stopped = ["evaluation 0", "step 1", "step 2", "checkpoint 2", "stopped 2"];
    expect(await run(2, false)).toEqual(stopped);
    expect(await run(3, true)).toEqual([
      "evaluation 2",
      "checkpoint 2",
      "step 3",
      "checkpoint 3",
      "stopped 3",
    ]);
    expect(await run(0, true)).toEqual(["evaluation 3", "checkpoint 3", "done 3"]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

describe("before the first step, train", () => {
  const rejection = async (setup: TrainSetup) => eventsOf(setup).catch((error) => error);

  test("asks for failures", async () => {
    expect(await rejection({ ...toySetup(), failures: [] })).toMatchObject({ code: "data" });
  });

  test("asks for an engine that can do what the configuration says", async () => {
    const setup = toySetup({ temperature: 0.9, beta: 0.1, klEstimator: "k2" });
    const can = (temperature: boolean, kl: ("k1" | "k2" | "k3")[]) => {
      const info = { ...setup.engine.info, capabilities: { temperature, kl } };
      return { ...setup, policy: { ...setup.policy, engine: { ...setup.engine, info } } };
    };
    expect(await rejection(can(false, ["k2"]))).toMatchObject({
      code: "engine",
      message: 'temperature: the engine "softmax-table" can only train at 1, got 0.9',
    });
    expect(await rejection(can(true, ["k1", "k3"]))).toMatchObject({
      code: "engine",
      hint: "set klEstimator to one of k1, k3",
    });
  });

  test("asks for room for the longest episode", async () => {
    // problem, attempt, turn, 59 tokens of reflection, its end token and turn fill the context of 64
    expect(await rejection(toySetup({ maxCompletionLength: 59 }))).toMatchObject({
      code: "context",
      message: expect.stringMatching(/"p0".*context of 64 tokens, got 64 before the retry/),
    });
    expect(await rejection(toySetup({ maxSteps: 0, maxCompletionLength: 58 }))).toEqual([
      { type: "done", step: 0 },
    ]);
  });

  test("names a failure that is not the task's", async () => {
    const setup = { ...toySetup({}, 2), failures: toyFailures(3) };
    expect(await rejection(setup)).toMatchObject({
      code: "data",
      message: expect.stringContaining('got problem "p2"'),
    });
  });
});

test("the toy's reflection is one token between the turn marks", async () => {
  const [step] = await stepsOf(toySetup({ maxSteps: 1 }));
  const { conversation } = step!.groups[0]!.episodes[0]!;
  expect(conversation.spans.map(({ part }) => part)).toEqual([
    "prompt",
    "attempt",
    "reflection-prompt",
    "reflection",
    "retry-prompt",
  ]);
  expect(conversation.tokens[2]).toBe(TOY.turn);
});
