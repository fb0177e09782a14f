/** A user looks at a run in TensorBoard and MLflow: they show all of it, and the run is the one that nobody looked at. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeMlflow, fakeMlflow } from "../../src/log/mlflow/fake-mlflow.test.kit.ts";
import { readEvents } from "../../src/log/tensorboard/event-reader.test.kit.ts";
import {
  type Flags,
  makeFolder,
  makeParityTask,
  makeTinyModel,
  readLines,
  run,
  tiny,
} from "../e2e/tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let server: FakeMlflow;
let flags: Flags;
let quiet: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  server = await fakeMlflow();
  process.env.MLFLOW_TRACKING_URI = server.uri;
  process.env.MLFLOW_TRACKING_TOKEN = "hush";
  const model = await makeTinyModel(join(folder, "model"));
  flags = { ...tiny, "--task-options": "{}", "--task": await makeParityTask(folder), "--model": model };
  quiet = join(folder, "quiet");
  expect((await run("train", { ...flags, "--output-dir": quiet })).code).toBe(0);
});
afterAll(async () => {
  delete process.env.MLFLOW_TRACKING_URI;
  delete process.env.MLFLOW_TRACKING_TOKEN;
  await server.close();
  await remove();
});

/** All that a run leaves, but for clock readings, which no two runs share, and what names loggers or the folder. */
async function leftBy(output: string): Promise<Record<string, unknown>> {
  const isClock = (name: string) => /^(time\/|step_time|tokens_per_second)/.test(name);
  const metrics = (await readLines(join(output, "metrics.jsonl"))).map((line) =>
    Object.fromEntries(Object.entries(line).filter(([name]) => !isClock(name))),
  );
  const names = [
    "failures.jsonl",
    "evaluations.jsonl",
    "results.json",
    "report.md",
    "model/model.safetensors",
  ];
  const files = await Promise.all(names.map((name) => readFile(join(output, name), "base64")));
  return { metrics, ...Object.fromEntries(names.map((name, i) => [name, files[i]])) };
}

test("a run that is stopped and goes on, with both loggers and a server that fails at first", async () => {
  const watched = join(folder, "watched");
  server.faults = [500, "hang up"];
  const logged = { ...flags, "--output-dir": watched, "--report-to": "tensorboard,mlflow" };
  const stopped = await run("train", logged, { stopAt: /^train {2}1\//m });
  expect(stopped.code).toBe(130);
  expect(server.runs.run0?.status).toBe("KILLED");
  const { code, err } = await run("train", { "--output-dir": watched, "--resume": true });
  expect(code).toBe(0);
  expect(`${stopped.err}${err}`).not.toContain("hush");

  expect(await leftBy(watched)).toEqual(await leftBy(quiet));
  const told = await readLines(join(quiet, "metrics.jsonl"));

  expect(Object.keys(server.runs)).toEqual(["run0"]);
  const { metrics, params, status } = server.runs.run0!;
  expect(status).toBe("FINISHED");
  expect(params).toMatchObject({ maxSteps: "2", "eval.testProblems": "6" });
  for (const { step, reward } of told) expect(metrics[`reward@${step}`]).toEqual([reward]);
  expect(Object.keys(metrics).filter((place) => place.startsWith("eval/first_try@"))).toEqual(
    [0, 1, 2].map((step) => `eval/first_try@${step}`),
  );

  const names = (await readdir(join(watched, "tensorboard"))).sort();
  expect(names).toHaveLength(2);
  const files = await Promise.all(names.map((name) => readFile(join(watched, "tensorboard", name))));
  const shown = files.flatMap(readEvents).filter(({ scalars }) => "reward" in scalars);
  expect(shown.map(({ step, scalars }) => [step, scalars.reward])).toEqual(
    told.map(({ step, reward }) => [step, Math.fround(reward as number)]),
  );
  expect(shown[0]!.scalars).toHaveProperty("time/train");
});

test("a run that had computed everything when the stop came is told as finished", async () => {
  const output = join(folder, "late");
  const last = /^train {2}2\/2.*^filler instead of reflections {2}(\d+)\/\1 /ms;
  const logged = { ...flags, "--output-dir": output, "--report-to": "mlflow" };
  const { code, out } = await run("train", logged, { stopAt: last });
  expect([code, out]).toEqual([130, expect.stringContaining("Everything lies in")]);
  expect(Object.values(server.runs).at(-1)!.status).toBe("FINISHED");
});

test("a logger that there is not is said before anything is computed", async () => {
  const output = join(folder, "refused");
  const { code, err } = await run("train", { ...flags, "--output-dir": output, "--report-to": "wandb" });
  expect([code, err]).toEqual([1, expect.stringContaining("`wandb sync`")]);
  expect(await readdir(folder)).not.toContain("refused");
});
