import { expect, test } from "vitest";
import { curveFigure } from "../draw/chart.ts";
import { formatValue, niceTicks } from "../draw/ticks.ts";
import type { Curve } from "./curve.ts";
import { curvesOf } from "./curves.ts";
import type { RunData } from "./run-data.ts";

const run = (changes: Partial<RunData>) =>
  ({
    config: { learnFrom: "reflection" },
    ...{ metrics: [], evaluations: [], timings: [] },
    ...changes,
  }) as unknown as RunData;
const curve = (title: string, changes: Partial<RunData>) =>
  curvesOf(run(changes)).find((one) => one.title === title)!;

test("draws only what was measured", () => {
  expect(curvesOf(run({}))).toEqual([]);
  const titles = curvesOf(run({ metrics: [{ step: 1, loss: 0.5, "completions/mean_length": 3 }] }));
  expect(titles.map(({ title }) => title)).toEqual(["Loss", "Reflection length"]);
});

test("keeps a value that is not a number as a gap, and says so", () => {
  const loss = curve("Loss", { metrics: [1, null, 3].map((loss, i) => ({ step: i + 1, loss })) });
  expect(loss.series[0]!.points.map(({ value }) => value)).toEqual([1, null, 3]);
  const { markup } = curveFigure(loss);
  expect(markup).toContain(
    'aria-label="Loss. loss: from 1.00 at step 1 to 3.00 at step 3, not a number at 1 steps."',
  );
  expect(markup).toContain('<th scope="row">2</th><td>not a number</td>');
  expect(markup).not.toMatch(/NaN|undefined|Infinity/);
});

test("draws a curve that is never a number, one of a single step, and one that does not change", () => {
  for (const values of [[null, null], [0.5], [0, 0, 0]]) {
    const metrics = values.map((loss, i) => ({ step: i + 1, loss }));
    expect(curveFigure(curve("Loss", { metrics })).markup).not.toMatch(/NaN|undefined|Infinity/);
  }
});

test.each([
  ["that differ by rounding", [0.3, 0.1 + 0.2]],
  ["as far apart as doubles are", [-Number.MAX_VALUE, Number.MAX_VALUE]],
  ["as large as doubles are", Array.from({ length: 1000 }, () => Number.MAX_VALUE)],
  ["as small as doubles are", [0, Number.MIN_VALUE]],
])("draws or leaves out numbers %s", (_, values) => {
  const metrics = values.map((loss, i) => ({ step: i + 1, loss }));
  expect(curveFigure(curve("Loss", { metrics })).markup).not.toMatch(/NaN|undefined|Infinity/);
});

test("names what learns by what it finds, not in an object's prototype", () => {
  const config = { learnFrom: "constructor" } as RunData["config"];
  expect(curvesOf(run({ config, metrics: [{ step: 1, "completions/mean_length": 3 }] }))).toMatchObject([
    { title: "Completions length" },
  ]);
});

test("shows long curves as means of neighbours between their smallest and largest", () => {
  const metrics = Array.from({ length: 1000 }, (_, i) => ({ step: i + 1, loss: i }));
  const { series, band } = curve("Loss", { metrics });
  expect(series[0]!.points).toHaveLength(334); // three at a time, one left over
  expect(series[0]!.points[0]).toEqual({ step: 3, value: 1, low: 0, high: 2 });
  expect(band).toBe("smallest to largest of neighbouring steps");
});

test("gives validations Wilson's interval over the problems that there were", () => {
  const evaluations: RunData["evaluations"] = [
    { step: 0, split: "validation", "eval/first_try": 0, "eval/rescue": 0.5 },
    { step: 0, split: "test", "eval/first_try": 1 },
  ];
  const validationStart = { problems: 20, failures: 20, unscored: 0 };
  // 0 of 20: [0, 0.1611] (Newcombe 1998)
  expect(curve("Validation: tries", { evaluations, validationStart }).series).toEqual([
    { name: "first try", points: [{ step: 0, value: 0, low: 0, high: expect.closeTo(0.1611, 4) }] },
  ]);
  const without = curve("Validation: tries", { evaluations });
  expect(without.series[0]!.points).toEqual([{ step: 0, value: 0 }]);
});

test("names reward and rescue once where they are the same numbers", () => {
  const names = (metrics: RunData["metrics"]) => curve("Reward", { metrics }).series.map(({ name }) => name);
  expect(names([{ step: 1, reward: 0.2, "rescue/rate": 0.2 }])).toEqual(["reward = rescue"]);
  expect(names([{ step: 1, reward: 0.4, "rescue/rate": 0.2 }])).toEqual(["reward", "rescue"]);
});

test("speaks of attempts where these learn", () => {
  const metrics = [{ step: 1, "completions/mean_length": 3 }];
  const config = { learnFrom: "answer" } as unknown as RunData["config"];
  expect(curvesOf(run({ metrics, config })).map(({ title }) => title)).toEqual(["Attempt length"]);
});

test.each<[number[], Curve["unit"], number[]]>([
  [[0.12, 0.31], "percent", [0, 0.1, 0.2, 0.3, 0.4]],
  [[0.3, 1], "percent", [0, 0.25, 0.5, 0.75, 1]],
  [[-0.05, 0.04], "number", [-0.05, -0.025, 0, 0.025, 0.05]],
  [[95, 103], "number", [94, 96, 98, 100, 102, 104]],
  [[7, 7], "number", [2, 4, 6, 8, 10, 12]],
  [[], "number", [0, 0.25, 0.5, 0.75, 1]],
])("ticks of %j are round and enclose them", (values, unit, ticks) => {
  expect(niceTicks(values, unit)).toEqual(ticks);
});

test.each<[number, Curve["unit"], string]>([
  [0.125, "percent", "12.5 %"],
  [0.31415, "number", "0.314"],
  [12.345, "number", "12.3"],
  [1234.5, "number", "1235"],
  [0.00000123, "number", "1.2e-6"],
  [0, "number", "0"],
  [1.25, "seconds", "1.3 s"],
  [Number.NaN, "number", "–"],
])("writes %d as %s: %s", (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text);
});
