import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MulliganError } from "../../core/errors.ts";
import type { LogContext } from "../logger.ts";
import { type FakeMlflow, fakeMlflow } from "./fake-mlflow.test.kit.ts";
import { createMlflow } from "./mlflow.ts";
import { paramsFrom } from "./names.ts";
import { mlflowSettings } from "./settings.ts";

let server: FakeMlflow;
let folder: string;
let warnings: string[];
beforeEach(async () => {
  server = await fakeMlflow();
  folder = mkdtempSync(join(tmpdir(), "mulligan-mlflow-"));
  warnings = [];
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const settings = {
  seed: 3,
  adapter: "",
  eval: { steps: 20, temperature: 1 },
  taskOptions: { source: { test: "x" } },
};
const context = (resumedFrom?: number): LogContext => ({
  path: join(folder, "mlflow.json"),
  settings,
  runName: "first",
  resumedFrom,
  now: () => 1_700_000_000_000,
  warn: (message) => warnings.push(message),
});
const open = ({
  resumedFrom,
  env = {},
  close = 20_000,
}: {
  resumedFrom?: number;
  env?: Record<string, string>;
  close?: number;
} = {}) =>
  createMlflow(context(resumedFrom), mlflowSettings({ MLFLOW_TRACKING_URI: server.uri, ...env }), {
    pauses: [1, 1],
    close,
  });
const step = (number: number) => ({
  type: "step" as const,
  step: number,
  metrics: { reward: number / 8, "time/train": 1, kl: null },
});
const evaluation = (number: number) => ({
  type: "evaluation" as const,
  step: number,
  metrics: { "eval/rescue": 0.5 },
});
const toldStep = () => JSON.parse(readFileSync(join(folder, "mlflow.json"), "utf8")).told.step;
const stepsOf = (id: string) =>
  Object.entries(server.runs[id]!.metrics)
    .filter(([place]) => place.startsWith("reward@"))
    .map(([place, values]) => [Number(place.split("@")[1]), values]);

test("a run's settings, steps and validations reach a run of the experiment, which then is finished", async () => {
  const logger = open({ env: { MLFLOW_EXPERIMENT_NAME: "countdown runs" } });
  logger.log(evaluation(0));
  logger.log(step(1));
  logger.log(step(2));
  await logger.close("finished");
  expect(server.experiments["countdown runs"]).toBe("1");
  expect(server.runs).toEqual({
    run0: {
      ...{ experiment: "1", name: "first", status: "FINISHED", ended: 1_700_000_000_000 },
      params: {
        seed: "3",
        "eval.steps": "20",
        "eval.temperature": "1",
        "taskOptions.source": '{"test":"x"}',
      },
      metrics: {
        ...{ "eval/rescue@0": [0.5], "reward@1": [0.125], "time/train@1": [1] },
        ...{ "reward@2": [0.25], "time/train@2": [1] },
      },
    },
  });
  expect(warnings).toEqual([]);
});

test("what a long outage left waiting goes in calls that the server takes", async () => {
  server.faults = Array.from({ length: 3 }, () => 503);
  const logger = open();
  const metrics = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`m${i}`, i]));
  for (let number = 1; number <= 100; number++) logger.log({ type: "step", step: number, metrics });
  await logger.close("finished");
  expect(Object.keys(server.runs.run0!.metrics)).toHaveLength(4000);
  expect(server.requests.filter((line) => line.endsWith("log-batch"))).toHaveLength(1 + 4);
  expect(warnings).toEqual([
    expect.stringMatching(/got 503 INTERNAL_ERROR; the run goes on, and so do the tries$/),
  ]);
});

test("a run that goes on appends to the same one, every step once", async () => {
  const first = open();
  for (const number of [1, 2, 3, 4, 5]) first.log(step(number));
  await first.close("stopped");
  expect(server.runs.run0!.status).toBe("KILLED");
  const second = open({ resumedFrom: 3 });
  second.log(evaluation(3));
  for (const number of [4, 5, 6]) second.log(step(number));
  await second.close("finished");
  expect(Object.keys(server.runs)).toEqual(["run0"]);
  expect(stepsOf("run0")).toEqual([1, 2, 3, 4, 5, 6].map((number) => [number, [number / 8]]));
  expect(server.runs.run0!.metrics["eval/rescue@3"]).toEqual([0.5]);
  expect(server.runs.run0!.status).toBe("FINISHED");
});

test("a run that went back and is validated at other steps tells of those, and of no other twice", async () => {
  const first = open();
  first.log(evaluation(0));
  for (const number of [1, 2, 3, 4]) first.log(step(number));
  first.log(evaluation(4));
  await first.close("stopped");
  const second = open({ resumedFrom: 2 });
  for (const number of [3, 4]) {
    second.log(step(number));
    second.log(evaluation(number));
  }
  await second.close("finished");
  const { metrics } = server.runs.run0!;
  expect([0, 3, 4].map((number) => metrics[`eval/rescue@${number}`])).toEqual([[0.5], [0.5], [0.5]]);
  expect(stepsOf("run0")).toEqual([1, 2, 3, 4].map((number) => [number, [number / 8]]));
});

test("a run that goes on with nothing left to tell is finished there, too", async () => {
  const first = open();
  first.log(step(1));
  await first.close("stopped");
  await open({ resumedFrom: 1 }).close("finished");
  expect(server.runs.run0!.status).toBe("FINISHED");
  await open().close("failed"); // another run, which ended before its first step
  expect(Object.keys(server.runs)).toEqual(["run0"]);
});

test.each([
  ["is gone from the server", () => delete server.runs.run0, /^mlflow: the run run0 is no longer on/],
  [
    "is kept in a damaged file",
    () => writeFileSync(join(folder, "mlflow.json"), '{"runId": "../x"'),
    undefined,
  ],
])("a run whose record %s becomes a new one", async (_, damage, warning) => {
  const first = open();
  first.log(step(1));
  await first.close("stopped");
  damage();
  server.runs.other = { experiment: "0", name: "", status: "", ended: undefined, params: {}, metrics: {} };
  const second = open({ resumedFrom: 1 });
  second.log(step(2));
  await second.close("finished");
  expect(Object.values(server.runs).filter((run) => "reward@2" in run.metrics)).toHaveLength(1);
  expect(warnings).toEqual(warning ? [expect.stringMatching(warning)] : []);
});

describe("a server that", () => {
  const logThree = async (options = {}) => {
    const logger = open(options);
    const begin = performance.now();
    for (const number of [1, 2, 3]) logger.log(step(number));
    expect(performance.now() - begin).toBeLessThan(2000); // nothing is waited for
    await logger.close("finished");
    return performance.now() - begin;
  };

  test.each([
    ["fails twice", [500, "hang up"]],
    ["is asked too often", [429]],
  ] as const)("%s is asked again", async (_, faults) => {
    server.faults = [...faults];
    await logThree();
    expect(stepsOf("run0").map(([number]) => number)).toEqual([1, 2, 3]);
    expect(warnings).toEqual([]);
  });

  test("is down is warned of once, and what was not delivered at the end", async () => {
    await server.close();
    await logThree();
    expect(warnings).toEqual([
      `mlflow: ${server.uri}: must be reached, got ECONNREFUSED; the run goes on, and so do the tries`,
      "mlflow: 3 steps and evaluations were not delivered; the run's own files have them",
    ]);
    server = await fakeMlflow();
  });

  test("is down at the end still shows the run as running, which is said", async () => {
    const logger = open();
    logger.log(step(1));
    await expect.poll(() => server.runs.run0?.metrics).toHaveProperty("reward@1");
    await expect.poll(() => existsSync(join(folder, "mlflow.json")) && toldStep()).toBe(1);
    await server.close();
    await logger.close("finished");
    expect(warnings).toEqual([
      expect.stringMatching(/^mlflow: \S+ must be reached, got \w+; the run stays RUNNING there$/),
    ]);
    server = await fakeMlflow();
  });

  test("never answers holds the end of a run no longer than its bound", async () => {
    server.faults = Array.from({ length: 9 }, () => "silence");
    expect(await logThree({ close: 300 })).toBeLessThan(9000);
    expect(warnings).toEqual([
      "mlflow: 3 steps and evaluations were not delivered; the run's own files have them",
    ]);
  });

  test.each([
    [
      "wants other credentials",
      () => (server.authorization = "Bearer right"),
      /got 401; set MLFLOW_TRACKING_TOKEN/,
    ],
    ["is a page to log in", () => (server.faults = ["login page"]), /got 200/],
    ["refuses what it is told", () => (server.faults = [400]), /got 400 INTERNAL_ERROR/],
  ])("%s is not asked again", async (_, arrange, warning) => {
    arrange();
    await logThree({ env: { MLFLOW_TRACKING_TOKEN: "hush" } });
    expect(server.requests).toHaveLength(1);
    expect(warnings).toEqual([
      expect.stringMatching(warning),
      "mlflow: 3 steps and evaluations were not delivered; the run's own files have them",
    ]);
    expect(warnings.join()).not.toMatch(/hush|secret/);
  });

  test("fails while the settings are told gets them again, not twice", async () => {
    const first = open();
    first.log(step(1));
    await first.close("stopped");
    const kept = readFileSync(join(folder, "mlflow.json"), "utf8");
    writeFileSync(join(folder, "mlflow.json"), kept.replace('"described": true', '"described": false'));
    const second = open({ resumedFrom: 1 });
    second.log(step(2));
    await second.close("finished");
    expect(server.runs.run0!.params["eval.steps"]).toBe("20");
    expect(warnings).toEqual([]);
  });
});

describe("credentials", () => {
  test.each([
    [{ MLFLOW_TRACKING_TOKEN: " hush " }, "Bearer hush"],
    [{ MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "hush" }, `Basic ${btoa("me:hush")}`],
  ])("%j are sent, and are in no file", async (env, authorization) => {
    server.authorization = authorization;
    const logger = open({ env });
    logger.log(step(1));
    await logger.close("finished");
    expect(stepsOf("run0")).toHaveLength(1);
    expect(readFileSync(join(folder, "mlflow.json"), "utf8")).not.toContain("hush");
  });

  test("in the address leave it", () => {
    const { uri, headers } = mlflowSettings({ MLFLOW_TRACKING_URI: "https://me:hush%21@host:5000/mlflow/" });
    expect(uri).toBe("https://host:5000/mlflow");
    expect(headers.authorization).toBe(`Basic ${btoa("me:hush!")}`);
  });

  test.each([
    undefined,
    "",
    "mlruns",
    "file:///me:hush",
    "sqlite:///x.db",
    "http://",
    "http://u%zz:hush@host",
  ])("an address %s is refused, and not shown", (uri) => {
    const read = () => mlflowSettings({ MLFLOW_TRACKING_URI: uri });
    expect(read).toThrow(/^MLFLOW_TRACKING_URI: must be the address of a server, got /);
    expect(read).not.toThrow(/hush/);
  });

  test.each(["TOKEN", "USERNAME", "PASSWORD"])(
    "of more than a line (%s) are refused, and not shown",
    (name) => {
      const env = { MLFLOW_TRACKING_URI: server.uri, [`MLFLOW_TRACKING_${name}`]: "hush\nhush" };
      const rule = `MLFLOW_TRACKING_${name}: must be one line of printable characters`;
      expect(() => mlflowSettings(env)).toThrow(new MulliganError("config", rule));
    },
  );
});

test("settings fit into what a server takes: lengths, characters, no name twice", () => {
  const params = paramsFrom({
    text: "x".repeat(501),
    datasetRevisions: { "org/a@main": "1", org_a_main: "2" },
    list: [1, 2],
    nothing: null,
  });
  expect(params).toEqual([
    { key: "text", value: `${"x".repeat(499)}…` },
    { key: "datasetRevisions.org_a_main", value: "2" },
    { key: "list", value: "[1,2]" },
    { key: "nothing", value: "null" },
  ]);
});
