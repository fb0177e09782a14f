/** The plan of a run: its arithmetic. */
import { expect, test } from "vitest";
import { MulliganConfig } from "./config.ts";
import { planStages } from "./run-plan.ts";

const config = (changes: object = {}) =>
  MulliganConfig.parse({
    ...{ maxSteps: 10, failuresPerStep: 4, numGenerations: 3, retriesPerReflection: 2 },
    ...{ maxAttemptLength: 5, maxCompletionLength: 7, eval: { steps: 4 } },
    ...changes,
  });
const problems = { train: 20, validation: 6, test: 8 };
const tokensOf = (changes: object = {}) =>
  Object.fromEntries(planStages(config(changes), problems).map(({ name, tokens }) => [name, tokens]));

test("counts what each stage samples at the most", () => {
  expect(tokensOf()).toEqual({
    collect: 20 * 5,
    // before: first try, second draw, 3 controls, a retry, a reflection; after: one more retry and reflection
    test: 8 * (6 * 5 + 7 + 7 * 5 + 2 * 7),
    // at steps 0, 4, 8 and 10
    validate: 6 * (2 * 5 + 7 + 3 * (3 * 5 + 2 * 7)),
    train: 10 * 4 * 3 * (7 + 2 * 5),
  });
});

test("counts turns as well", () => {
  const turns = planStages(config(), problems).map(({ turns }) => turns);
  expect(turns).toEqual([20, 8 * (7 + 9), 6 * (3 + 3 * 5), 10 * 4 * 3 * 3]);
});

test("follows what learns, dynamic sampling, tries and refreshes", () => {
  const answers = tokensOf({ learnFrom: "answer", eval: { steps: 0 } });
  expect(answers).toEqual({ test: expect.any(Number), train: 10 * 4 * 3 * 5 });
  expect(tokensOf({ dynamicSampling: true }).train).toBe(3 * tokensOf().train!);
  const anew = tokensOf({ collect: { tries: 2, refreshSteps: 3 } });
  // collected again before steps 4, 7 and 10
  expect([anew.collect, anew["collect anew"]]).toEqual([20 * 2 * 5, 3 * 20 * 2 * 5]);
});

test("says it in words", () => {
  const works = planStages(config({ maxSteps: 1, retriesPerReflection: 1 }), problems).map(
    ({ work }) => work,
  );
  expect(works).toEqual([
    "20 problems, 1 attempt each",
    "8 problems, before and after, with controls",
    "6 problems, 2 times",
    "1 step of 4 failures × 3 reflections with a retry each",
  ]);
});
