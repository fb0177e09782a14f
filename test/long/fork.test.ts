/** A user starts another run from a checkpoint of one that is there, which stays as it is. */
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Flags,
  makeFolder,
  makeParityTask,
  makeTinyModel,
  readLines,
  run,
  snapshot,
  tiny,
} from "../e2e/tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let parent: string;
let before: Record<string, string>;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  parent = join(folder, "parent");
  const flags = {
    ...{ ...tiny, "--task-options": "{}", "--task": await makeParityTask(folder) },
    ...{ "--model": await makeTinyModel(join(folder, "model")), "--max-steps": 4, "--save-steps": 1 },
    ...{ "--lr-scheduler-type": "linear", "--collect.refresh-steps": 2, "--output-dir": parent },
  };
  expect((await run("train", flags)).code).toBe(0);
  before = await snapshot(parent);
});
afterAll(() => remove());

const fork = (name: string, output: string, more: Flags = {}) =>
  run("train", { "--fork": join(parent, name), "--output-dir": output, ...more });
const text = (...path: string[]) => readFile(join(...path), "utf8");
const weightsOf = (output: string) => readFile(join(output, "model", "model.safetensors"), "base64");

test("with the same settings it becomes the run that it was forked from, to the last byte", async () => {
  const output = join(folder, "same");
  expect((await fork("checkpoint-3", output)).code).toBe(0);
  expect(await weightsOf(output)).toBe(await weightsOf(parent));
  for (const name of ["metrics.jsonl", "evaluations.jsonl", "failures.jsonl", "results.json", "report.md"]) {
    expect(await text(output, name)).toBe(await text(parent, name));
  }
  // its traces are of its own steps
  const [header, ...lines] = (await text(parent, "traces.jsonl")).split(/(?<=\n)/);
  const own = lines.filter((line) => line.startsWith('{"step":4,'));
  expect(await text(output, "traces.jsonl")).toBe([header, ...own].join(""));
  const { starts } = JSON.parse(await text(output, "environment.json"));
  expect(starts).toMatchObject([{ step: 3, forkedFrom: join(parent, "checkpoint-3") }]);
  expect((await readdir(output)).filter((name) => name.startsWith("checkpoint")).sort()).toEqual([
    "checkpoint-3",
    "checkpoint-4",
  ]);
  expect(await snapshot(parent)).toEqual(before);
});

test("flags change its settings, and stopped before its first checkpoint it can be resumed", async () => {
  const output = join(folder, "other");
  const changes = { "--learning-rate": 0.02, "--max-steps": 5, "--save-steps": 0 };
  expect((await fork("checkpoint-3", output, changes)).code).toBe(0);
  expect(JSON.parse(await text(output, "config.json"))).toMatchObject({
    learningRate: 0.02,
    failuresPerStep: 3,
  });
  const weights = await weightsOf(output);
  expect(weights).not.toBe(await weightsOf(parent));
  expect((await readLines(join(output, "metrics.jsonl"))).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);

  // as a kill in its first step leaves it
  await writeFile(join(output, "latest"), "checkpoint-3\n");
  expect((await run("train", { "--output-dir": output, "--resume": true })).code).toBe(0);
  expect(await weightsOf(output)).toBe(weights);
  expect(await snapshot(parent)).toEqual(before);
});

test.each<[string, string, Flags, RegExp]>([
  [
    "the run's own folder",
    "",
    { "--output-dir": "parent", "--clean": true },
    /^error: fork: must go into a folder of its own, got that of the run/m,
  ],
  [
    "no step left",
    "",
    {},
    /^error: maxSteps: must be more than the 4 steps that are forked from, got 4\nhint: /m,
  ],
  [
    "a checkpoint that is not there",
    "checkpoint-9",
    {},
    /^error: fork: must be a run with a checkpoint, or a checkpoint in a run, got ".*checkpoint-9"\nhint: /m,
  ],
  ["resuming, too", "", { "--resume": true }, /^error: resume, fork: must not be given together\nhint: /m],
  [
    "to stand between refreshes",
    "checkpoint-4",
    { "--collect.refresh-steps": 3, "--max-steps": 6 },
    /^error: collect\.refreshSteps: must begin at a refresh, got 3 after 4 steps\nhint: fork a checkpoint/m,
  ],
])("refuses %s, and writes nothing", async (_, name, flags, message) => {
  const output = join(folder, "refused");
  const dir = flags["--output-dir"];
  const own: Flags = dir === undefined ? {} : { "--output-dir": join(folder, String(dir)) };
  const { code, err } = await fork(name, output, { ...flags, ...own });
  expect(err).toMatch(message);
  expect(code).toBe(1);
  expect(await snapshot(output)).toEqual({});
  expect(await snapshot(parent)).toEqual(before);
});

test("of a run whose metrics are damaged it is refused before anything is copied", async () => {
  const [damaged, output] = [join(folder, "damaged"), join(folder, "refused")];
  await cp(parent, damaged, { recursive: true });
  const metrics = await text(damaged, "metrics.jsonl");
  await writeFile(join(damaged, "metrics.jsonl"), metrics.slice(0, metrics.indexOf("\n") + 1));
  await rm(join(damaged, "traces.jsonl")); // a fork takes none
  const { code, err } = await run("train", {
    "--fork": join(damaged, "checkpoint-2"),
    "--output-dir": output,
  });
  expect(err).toMatch(/^error: .*damaged\/metrics\.jsonl: must have a line for each step/m);
  expect([code, await snapshot(output)]).toEqual([1, {}]);
});

test("of a run without its settings it takes those that it is given", async () => {
  const [bare, output] = [join(folder, "bare"), join(folder, "given")];
  await cp(parent, bare, { recursive: true });
  const { config } = JSON.parse(await text(bare, "checkpoint-2", "trainer_state.json"));
  await rm(join(bare, "config.json"));
  const file = join(folder, "given.config.json");
  await writeFile(file, JSON.stringify({ ...config, maxSteps: 3 }));
  const flags = { "--fork": join(bare, "checkpoint-2"), "--config": file, "--output-dir": output };
  expect((await run("train", flags)).code).toBe(0);
  expect(await readLines(join(output, "metrics.jsonl"))).toHaveLength(3);
});

test("more steps on a schedule that falls to the last one are another run: resume says so and offers the fork", async () => {
  const { code, err } = await run("train", { "--output-dir": parent, "--resume": true, "--max-steps": 6 });
  expect(err).toMatch(
    /^error: maxSteps: must be as when the run began, 4, with lrSchedulerType linear, got 6$/m,
  );
  expect(err).toMatch(/^hint: .*: mulligan train --fork .*parent --max-steps 6 --output-dir …$/m);
  expect(code).toBe(1);
  expect(await snapshot(parent)).toEqual(before);
});
