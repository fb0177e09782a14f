/** A user trains a model from the command line, and looks at what the run folder holds. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/model/folder.ts";
import { readTraces } from "../../src/store/traces.ts";
import { Environment, EvaluationLine, Failure, FailuresHeader, StepLine } from "../../src/store/wire.ts";
import { loadChat } from "../../src/text/chat.ts";
import { readRunJson } from "../../src/train/saved-run.ts";
import {
  makeFolder,
  makeParityTask,
  makeTinyModel,
  type Ran,
  readLines,
  run,
  tiny,
} from "./tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let model: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  model = await makeTinyModel(join(folder, "model"));
});
afterAll(() => remove());

describe("train on Countdown", () => {
  let ran: Ran;
  let output: string;
  beforeAll(async () => {
    output = join(folder, "countdown");
    ran = await run("train", { ...tiny, "--model": model, "--output-dir": output });
  });
  const linesOf = (name: string) => readLines(join(output, name));

  test("succeeds and prints both tables, then where everything lies", () => {
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/The paper's four columns: 6 problems\n[\s\S]*first try +0\.0 % +0\.0 %/);
    expect(ran.out).toMatch(
      /Rescue on the 6 failures of the starting model[\s\S]*own reflection \(rescue\) +0\.0 %/,
    );
    expect(ran.out).toContain(`Everything lies in ${output}\n`);
    expect(ran.out).toContain(`To look at, in a browser: ${join(output, "report.html")}\n`);
  });

  test("tells what it does on the way, one line at a time", () => {
    const lines = ran.err.trimEnd().split("\n");
    expect(lines[0]).toBe("collect  12 to do");
    expect(lines[1]).toMatch(/^collect {2}12\/12 {2}12 failures {2}\d+ s$/);
    expect(lines[2]).toBe("collected 12 failures in 12 attempts");
    expect(lines.filter((line) => line.startsWith("train"))).toEqual([
      expect.stringMatching(/^train {2}1\/2 {2}reward 0\.00 {2}[\d,]+ tokens\/s {2}\d+ s left$/),
      expect.stringMatching(/^train {2}2\/2 {2}reward 0\.00 {2}[\d,]+ tokens\/s {2}\d+ s$/),
    ]);
    expect(lines.filter((line) => /^step \d, validation: first try/.test(line))).toHaveLength(3);
    expect(ran.err).not.toContain("\u001b");
  });

  test("leaves every product in the run folder, and no temporary file", async () => {
    expect((await readdir(output)).sort()).toEqual(
      [
        ...[
          "best",
          "checkpoint-2",
          "collect.json",
          "config.json",
          "environment.json",
          "evaluations.jsonl",
          "failures.jsonl",
          "latest",
        ],
        ...[
          "metrics.jsonl",
          "model",
          "report.html",
          "report.md",
          "results.json",
          "test-start.json",
          "test-trained.json",
        ],
        ...["timings.jsonl", "traces.jsonl"],
        "validation-start.json",
      ].sort(),
    );
    const config = JSON.parse(await readFile(join(output, "config.json"), "utf8"));
    const { starts } = Environment.parse(await readRunJson(join(output, "environment.json")));
    expect(starts).toMatchObject([{ step: 0, threads: 1, node: process.version, model: { name: model } }]);
    expect(config).toMatchObject({ model, maxSteps: 2, taskOptions: { wording: "compact" } });
  });

  test("writes one line of metrics a step, under TRL's names", async () => {
    const lines = (await linesOf("metrics.jsonl")).map((line) => StepLine.parse(line));
    expect(lines.map(({ step }) => step)).toEqual([1, 2]);
    const timings = (await linesOf("timings.jsonl")).map((line) => StepLine.parse(line));
    expect(timings.map(({ step, step_time }) => [step, step_time! > 0])).toEqual([
      [1, true],
      [2, true],
    ]);
    // nothing can be learnt from groups that failed as a whole, and nothing is
    expect(lines[0]).toMatchObject({
      ...{ reward: 0, reward_std: 0, frac_reward_zero_std: 1, "groups/all_failed": 3 },
      ...{ learning_rate: 0.01, "completions/max_length": 6 },
    });
  });

  test("keeps failures, traces and evaluations in the shapes of the wire schema", async () => {
    const [header, ...failures] = await linesOf("failures.jsonl");
    expect(FailuresHeader.parse(header)).toMatchObject({
      model: { name: model },
      task: { name: "countdown" },
    });
    expect(failures.map((line) => Failure.parse(line))).toHaveLength(12);
    const tracedSteps: number[] = [];
    for await (const { step } of readTraces(join(output, "traces.jsonl"))) tracedSteps.push(step);
    expect(tracedSteps).toEqual([1, 1, 1, 2, 2, 2]);
    const evaluations = (await linesOf("evaluations.jsonl")).map((line) => EvaluationLine.parse(line));
    expect(evaluations.map(({ step, split }) => `${split} ${step}`)).toEqual([
      ...["test 0", "validation 0", "validation 1", "validation 2", "test 2"],
    ]);
  });

  test("exports the trained model with its tokenizer", async () => {
    const exported = join(output, "model");
    expect((await loadModel(exported)).config).toMatchObject({ hiddenSize: 16, layers: 1 });
    const { tokenizer } = await loadChat(exported);
    expect(tokenizer.encode("make 7")).toEqual((await loadChat(model)).tokenizer.encode("make 7"));
  });
});

describe("a run is a function of its seed", () => {
  /** What a run wrote, but for the times it took. */
  async function trainedWith(seed: number, name: string) {
    const output = join(folder, name);
    const task = await makeParityTask(folder);
    const flags = {
      ...tiny,
      "--model": model,
      "--output-dir": output,
      "--task": task,
      "--task-options": "{}",
    };
    const { code } = await run("train", { ...flags, "--seed": seed });
    expect(code).toBe(0);
    const metrics = await readFile(join(output, "metrics.jsonl"), "utf8");
    const weights = await readFile(join(output, "model", "model.safetensors"));
    const traces = await readFile(join(output, "traces.jsonl"), "utf8");
    return { metrics, traces, weights: weights.toString("base64") };
  }

  test("the same seed gives the same metrics, traces and weights, another one others", async () => {
    const once = await trainedWith(1, "seed-1");
    expect(JSON.parse(once.metrics.split("\n")[0]!)).toMatchObject({ grad_norm: expect.any(Number) });
    expect(await trainedWith(1, "seed-1-again")).toEqual(once);
    const other = await trainedWith(2, "seed-2");
    expect(other.traces).not.toBe(once.traces);
    expect(other.weights).not.toBe(once.weights);
  });
});
