import { describe, expect, test } from "vitest";
import { compareEvaluations } from "./comparison.ts";
import { evaluationFrom } from "./fakes.test.kit.ts";

const options = { seed: 5, bootstrap: 500 };
const repeat = <T>(times: number, items: T[]): T[] => Array.from({ length: times }, () => items).flat();

const start = evaluationFrom("sffff", "ssfff", [
  { rescue: "s", leaks: true, reflection: "long one", controls: "fffs" },
  { rescue: "f", leaks: false, controls: "ffff" },
  { rescue: "f", leaks: false, controls: "ffff" },
  { rescue: "f", leaks: false, controls: "sfff" },
]);
const trained = evaluationFrom("fssff", "fsssf", [
  { rescue: "s", leaks: false, controls: "fsfs" },
  { rescue: "s", leaks: false, controls: "ffff" },
  { rescue: "f", leaks: true, controls: "fffs" },
  { rescue: "s", leaks: true, controls: "sfff" },
]);

describe("compareEvaluations", () => {
  test("estimates every measure of both models and its gain by hand", () => {
    const { measures } = compareEvaluations(start, trained, options);
    const estimates = Object.fromEntries(
      Object.entries(measures).map(([measure, { start, trained, gain }]) => {
        expect(gain.estimate).toBeCloseTo(trained.estimate - start.estimate, 12);
        return [measure, [start.estimate, trained.estimate]];
      }),
    );
    expect(estimates).toEqual({
      first_try: [1 / 5, 2 / 5],
      second_try: [2 / 5, 3 / 5],
      rescue: [1 / 4, 3 / 4],
      rescue_no_leak: [0, 1],
      rescue_leak: [1, 1 / 2],
      plain_retry: [1 / 4, 1 / 4],
      second_draw: [1 / 4, 2 / 4],
      shuffled: [0, 1 / 4],
      filler: [0, 0],
      leak_rate: [1 / 4, 2 / 4],
      // "long one" is 9 tokens with its end, "hm" 3
      reflection_length: [(9 + 3 * 3) / 4, 3],
      truncated_rate: [0, 0],
    });
  });

  test("says what share of the rescue gain shuffled reflections keep", () => {
    // (1/4 - 0) of (3/4 - 1/4)
    const { shuffledShare } = compareEvaluations(start, trained, options);
    expect(shuffledShare!.estimate).toBe(0.5);
    expect(shuffledShare!.low).toBeLessThanOrEqual(0.5);
    expect(shuffledShare!.high).toBeGreaterThanOrEqual(0.5);
  });

  test("counts first tries won and lost", () => {
    // q0 lost; q1 and q2 won; exact p of 1 against 2 is 1
    expect(compareEvaluations(start, trained, options).firstTryFlips).toEqual({ won: 2, lost: 1, p: 1 });
    const unscored = evaluationFrom("ussff", "usssf", []);
    expect(
      compareEvaluations(evaluationFrom("sffff", "sffff", []), unscored, options).firstTryFlips,
    ).toMatchObject({ won: 2, lost: 0 });
  });

  test("pairs the two models by item: an equal gain everywhere has no width", () => {
    const failures = repeat(20, [{ rescue: "f" }]);
    const rescued = repeat(20, [{ rescue: "s" }]);
    const first = "sf".repeat(10);
    const { measures } = compareEvaluations(
      evaluationFrom(first, first, failures),
      evaluationFrom(first, "ss".repeat(10), rescued),
      options,
    );
    expect(measures.first_try!.start.high).toBeGreaterThan(measures.first_try!.start.low);
    expect(measures.first_try!.gain).toEqual({ estimate: 0, low: 0, high: 0 });
    expect(measures.rescue!.gain).toEqual({ estimate: 1, low: 1, high: 1 });
  });

  test("is the same for the same seed, and another for another", () => {
    const again = compareEvaluations(start, trained, options);
    expect(compareEvaluations(start, trained, options)).toEqual(again);
    const first = "sfff".repeat(100);
    const many = evaluationFrom(first, first, []);
    const highs = [1, 2, 3, 4, 5].map((seed) => {
      const { estimate, high } = compareEvaluations(many, many, { ...options, seed }).measures.first_try!
        .start;
      expect(estimate).toBe(0.25);
      return high;
    });
    expect(new Set(highs).size).toBeGreaterThan(1);
  });

  test("leaves out what neither sampled, and keeps NaN where one has nothing to count", () => {
    const before = evaluationFrom("ff", "ff", [{ rescue: "f", leaks: true }, { rescue: "u" }]);
    const after = evaluationFrom("ff", "sf", [{ rescue: "s", leaks: false }, { rescue: "s" }]);
    const { measures, shuffledShare } = compareEvaluations(before, after, options);
    expect(shuffledShare).toBeUndefined();
    expect(measures.filler).toBeUndefined();
    expect(measures.rescue).toMatchObject({ start: { estimate: 0 }, trained: { estimate: 1 } });
    expect(measures.rescue_no_leak!.start.estimate).toBeNaN();
    expect(measures.rescue_no_leak!.gain.low).toBeNaN();
  });

  test.each([
    ["task", { ...trained, task: "sums" }],
    ["seed", { ...trained, seed: 12 }],
    ["decoding", { ...trained, decoding: { ...trained.decoding, retry: trained.decoding.reflection } }],
    ["problems", { ...trained, problems: trained.problems.slice(1) }],
    ["failures", { ...trained, failures: trained.failures.slice(1) }],
  ])("refuses evaluations with another %s", (name, other) => {
    expect(() => compareEvaluations(start, other, options)).toThrow(`must have the same ${name}`);
  });
});

test("lists a dozen sorts of mistake at most, the commonest of either model first", () => {
  const withClasses = (evaluation: typeof start, classOf: (i: number) => string) => ({
    ...evaluation,
    problems: evaluation.problems.map((problem, i) => ({ ...problem, errorClass: classOf(i) })),
  });
  const many = evaluationFrom("f".repeat(20), "f".repeat(20), [{ rescue: "f" }]);
  // before: twenty classes, once each; after: one class seventeen times and three of the old ones
  const before = withClasses(many, (i) => `class ${i}`);
  const after = withClasses(many, (i) => (i < 17 ? "new" : `class ${i}`));
  const { errors } = compareEvaluations(before, after, options);
  expect(errors).toHaveLength(12);
  expect(errors[0]).toMatchObject({
    errorClass: "new",
    contrast: { start: { estimate: 0 }, trained: { estimate: 17 / 20 }, gain: { estimate: 17 / 20 } },
  });
  expect(errors[1]).toMatchObject({ errorClass: "class 0", contrast: { start: { estimate: 1 / 20 } } });
  expect(compareEvaluations(start, trained, options).errors).toEqual([]);
});
