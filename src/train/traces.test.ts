import { expect, test } from "vitest";
import type { AttemptsTrace, ReflectionsTrace } from "../core/trace.ts";
import { TraceLine } from "../store/wire.ts";
import type { MulliganConfig } from "./config.ts";
import { TOY, toySetup } from "./toy.test.kit.ts";
import { train } from "./trainer.ts";

/** The first step's traces, with a verifier that answers in turn. */
async function tracesWith(answers: (boolean | null)[], overrides: Partial<MulliganConfig>) {
  const setup = toySetup({ maxSteps: 1, failuresPerStep: 2, numGenerations: 2, ...overrides });
  let asked = 0;
  const task = {
    ...setup.task,
    verify: () => answers[asked++ % answers.length],
    leaks: (text: string) => text === String(TOY.good),
  };
  for await (const event of train({ ...setup, task })) {
    if (event.type === "step") return { traces: event.traces, metrics: event.metrics };
  }
  throw new Error("no step");
}

test("an episode carries its advantage before normalisation, null where it took no part", async () => {
  const { traces } = await tracesWith([true, false, null, false], { scaleRewards: "none" });
  const groups = traces as ReflectionsTrace[];
  expect(groups.map(({ state }) => state)).toEqual(["live", "unscored"]);
  expect(groups.map(({ episodes }) => episodes.map(({ advantage }) => advantage))).toEqual([
    [0.5, -0.5],
    [null, null],
  ]);
  expect(groups.map(({ episodes }) => episodes.map(({ reward }) => reward))).toEqual([
    [1, 0],
    [null, 0],
  ]);
  expect(groups[0]!.episodes[0]!.retries[0]).not.toHaveProperty("advantage");
});

test("its tokens in order are the conversation that was trained on", async () => {
  const { traces } = await tracesWith([true, false], {});
  for (const trace of traces as ReflectionsTrace[]) {
    const problem = 10 + Number(trace.problemId.slice(1));
    expect(trace).toMatchObject({ step: 1, prompt: [problem], question: trace.problemId });
    expect(trace.attempt.tokens).toEqual([TOY.wrong]);
    for (const { reflectionPrompt, reflection, retryPrompt, retries } of trace.episodes) {
      expect([reflectionPrompt, reflection.tokens.length, retryPrompt]).toEqual([[TOY.turn], 1, [TOY.turn]]);
      expect(retries).toHaveLength(1);
    }
  }
});

test.each(["retry", "reflection+retry"] as const)(
  "each retry has its own advantage where %s learns",
  async (learnFrom) => {
    // two failures, two reflections on each, two retries of each reflection
    const answers = [true, false, true, true, false, false, false, false];
    const { traces } = await tracesWith(answers, {
      learnFrom,
      retriesPerReflection: 2,
      scaleRewards: "none",
    });
    const advantages = (traces as ReflectionsTrace[]).map(({ episodes }) =>
      episodes.map(({ retries }) => retries.map(({ advantage }) => advantage)),
    );
    expect(advantages).toEqual([
      [
        [0.25, -0.75],
        [0.25, 0.25],
      ],
      [
        [0, 0],
        [0, 0],
      ],
    ]);
    expect((traces[0] as ReflectionsTrace).episodes[0]).not.toHaveProperty("advantage");
  },
);

test("first attempts are traced by problem where these learn", async () => {
  const { traces } = await tracesWith([true, false, true, true], {
    learnFrom: "answer",
    scaleRewards: "none",
  });
  const groups = traces as AttemptsTrace[];
  expect(groups.map(({ kind, state }) => [kind, state])).toEqual([
    ["attempts", "live"],
    ["attempts", "all_passed"],
  ]);
  expect(groups[0]).toMatchObject({ question: groups[0]!.problemId, prompt: [expect.any(Number)] });
  expect(groups.flatMap(({ attempts }) => attempts.map(({ advantage }) => advantage))).toEqual([
    0.5, -0.5, 0, 0,
  ]);
});

test("a leak is found once: the trace and the step's rate say the same", async () => {
  const { traces, metrics } = await tracesWith([true, false], { failuresPerStep: 4, numGenerations: 8 });
  const episodes = (traces as ReflectionsTrace[]).flatMap(({ episodes }) => episodes);
  expect(episodes.map(({ leaks }) => leaks)).toEqual(
    episodes.map(({ reflection }) => reflection.tokens[0] === TOY.good),
  );
  const rate = episodes.filter(({ leaks }) => leaks).length / episodes.length;
  expect(rate).toBeGreaterThan(0);
  expect(metrics["reflection/leak_rate"]).toBe(rate);
});

test.each(["reflection", "answer", "retry", "reflection+retry"] as const)(
  "traces of %s keep to the wire schema after a round trip through JSON",
  async (learnFrom) => {
    const { traces } = await tracesWith([true, false], { learnFrom });
    expect(traces.map((trace) => TraceLine.parse(JSON.parse(JSON.stringify(trace))))).toEqual(traces);
  },
);
