/** A user asks whose doing a run's gain is; each mistake is told before anything is sampled, and leaves no swap.json. */
import { existsSync } from "node:fs";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFolder, makeParityTask, makeTinyModel, run, runArgv, tiny } from "../e2e/tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let model: string;
let trained: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  model = await makeTinyModel(join(folder, "model"));
  trained = join(folder, "trained");
  const flags = {
    ...{ ...tiny, "--model": model, "--output-dir": trained, "--eval.steps": 0 },
    ...{ "--task": await makeParityTask(folder, 300), "--task-options": "{}" },
    // enough failures and change that the four cells differ
    ...{ "--eval.test-problems": 30, "--learning-rate": 0.05 },
  };
  expect((await run("train", flags)).code).toBe(0);
});
afterAll(() => remove());

/** The trained run once more, under another name. */
async function copyRun(name: string): Promise<string> {
  const copy = join(folder, name);
  await cp(trained, copy, { recursive: true });
  return copy;
}

const readJson = async (path: string) => JSON.parse(await readFile(path, "utf8"));
const edit = async (path: string, change: (json: Record<string, unknown[]>) => object) =>
  writeFile(path, JSON.stringify(change(await readJson(path))));

test("each model retries after the other's reflections; the table is printed and kept", async () => {
  const copy = await copyRun("sound");
  const results = await readJson(join(copy, "results.json"));
  const { code, out } = await runArgv(["swap", copy]);
  expect(code).toBe(0);
  const cells = await readJson(join(copy, "swap.json"));
  expect(cells.map(({ reflector, retrier }: Record<string, string>) => `${reflector} ${retrier}`)).toEqual([
    "start start",
    "trained start",
    "start trained",
    "trained trained",
  ]);
  // the corners are the run's own evaluations
  expect(cells[0].rescue).toEqual(results.measures.rescue.start);
  expect(cells[3].rescue).toEqual(results.measures.rescue.trained);
  expect(cells[3].gain).toEqual(results.measures.rescue.gain);
  expect(out).toMatch(
    /^reflections by +retries by +rescue +gain, 95 % interval\n-+\nstarting model +starting model +/,
  );
  expect(out.trim().split("\n")).toHaveLength(6);
});

describe("a cell is named after who reflects and who retries:", () => {
  const nothing = { estimate: 0, low: 0, high: 0 };

  test("a trained model with the starting weights retries the starting reflections as the start did", async () => {
    const copy = await copyRun("same-weights");
    await cp(model, join(copy, "model"), { recursive: true });
    expect((await runArgv(["swap", copy])).code).toBe(0);
    const [, reflector, retrier] = await readJson(join(copy, "swap.json"));
    expect(retrier.gain).toEqual(nothing);
    // so it is no accident: the other cell is another matter
    expect(reflector.gain).not.toEqual(nothing);
  });

  test("a trained model with the starting reflections has them retried by the start as before", async () => {
    const copy = await copyRun("same-reflections");
    await cp(join(copy, "test-start.json"), join(copy, "test-trained.json"));
    expect((await runArgv(["swap", copy])).code).toBe(0);
    const [, reflector, retrier] = await readJson(join(copy, "swap.json"));
    expect(reflector.gain).toEqual(nothing);
    expect(retrier.gain).not.toEqual(nothing);
  });
});

describe("refused, before anything is sampled:", () => {
  const mistakes: [name: string, damage: (run: string) => Promise<void>, message: RegExp][] = [
    [
      "what is no folder",
      (run) => rm(run, { recursive: true }),
      /: must be a finished run, got none of its config\.json\nhint: name the folder of a run that has ended/,
    ],
    [
      "a model's folder, which has a config.json too",
      async (run) => {
        await rm(run, { recursive: true });
        await cp(model, run, { recursive: true });
      },
      /: must be a finished run, got none of its test-start\.json\nhint: /,
    ],
    [
      "a run that has not ended",
      (run) => rm(join(run, "test-trained.json")),
      /: must be a finished run, got none of its test-trained\.json\nhint: .*--resume/,
    ],
    [
      "a run whose trained model is gone",
      (run) => rm(join(run, "model"), { recursive: true }),
      /: must be a finished run, got none of its model\nhint: /,
    ],
    [
      "a run whose trained model has lost its weights",
      (run) => rm(join(run, "model", "model.safetensors")),
      /model\.safetensors: no such file\nhint: /,
    ],
    [
      "a run whose starting model is gone",
      (run) => edit(join(run, "config.json"), (config) => ({ ...config, model: "./gone" })),
      /model: must be a Hugging Face folder, a hub name or a shipped model, got "\.\/gone"\nhint: /,
    ],
    [
      "settings that are no run's",
      (run) => edit(join(run, "config.json"), (config) => ({ ...config, hidden_size: 16 })),
      /config\.json: must be the settings of the run in .*, got Unrecognized key: "hidden_size"\nhint: .*trainer_state\.json/,
    ],
    [
      "a file that is cut off",
      (run) => writeFile(join(run, "test-start.json"), '{"task": '),
      /test-start\.json: must be JSON that can be read: .*\nhint: /,
    ],
    [
      "evaluations on other failures",
      (run) => edit(join(run, "test-start.json"), (json) => ({ ...json, failures: json.failures!.slice(1) })),
      /: both evaluations must have the same failures\nhint: /,
    ],
  ];
  test.each(mistakes)("%s", async (name, damage, message) => {
    const copy = await copyRun(name);
    await damage(copy);
    const { code, out, err } = await runArgv(["swap", copy]);
    // no line of progress comes before the error
    expect([code, out, err.slice(0, 7)]).toEqual([1, "", "error: "]);
    expect(err).toMatch(message);
    expect(existsSync(join(copy, "swap.json"))).toBe(false);
  });
});

test("stopped between the two models it writes nothing, and is no error", async () => {
  const copy = await copyRun("stopped");
  const { code, out, err } = await runArgv(["swap", copy], { stopAt: /swapped reflections/ });
  expect([code, out, err.includes("error")]).toEqual([130, "", false]);
  expect(existsSync(join(copy, "swap.json"))).toBe(false);
});
