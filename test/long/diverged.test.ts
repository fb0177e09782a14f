/** Training that diverges, with the real engine: what a user is told, and what is left to go on with. */
import { cpSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
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
let flags: Flags;
let model: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  model = await makeTinyModel(join(folder, "model"));
  flags = {
    ...{ ...tiny, "--task-options": "{}", "--task": await makeParityTask(folder), "--model": model },
    ...{
      "--failures-per-step": 6,
      "--max-steps": 8,
      "--eval.steps": 0,
      "--save-steps": 1,
      "--learning-rate": 1e15,
      "--num-generations": 4,
    },
  };
});
afterAll(() => remove());

/** Values start after the header, whose length stands in the first 8 bytes; the model's, not of its file. */
async function valuesOf(path: string): Promise<string> {
  const bytes = await readFile(path);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))).toString("base64");
}

test("an update that breaks the weights: the steps after it are dropped, then the run says what is still good", async () => {
  const output = join(folder, "broken");
  const { code, err } = await run("train", { ...flags, "--output-dir": output });
  expect(code).toBe(1);
  expect(err).toMatch(/^warning, step 2: the step was dropped: sample: scores must be finite numbers, got/m);
  expect(err).toMatch(
    /\nwarnings of this run .*\n {2}step \d+, (.|\n)*skipped_step: .* \(2 more times, last at step 4\)\n/,
  );
  expect(err).toMatch(
    /\nerror: step 4: the last 3 steps were dropped, maxSkippedSteps is 3: sample: scores .*\nhint: start again with a lower --learning-rate or --max-grad-norm; no good state was saved: .*\n$/,
  );
  const metrics = await readLines(join(output, "metrics.jsonl"));
  expect(metrics.map(({ step, skipped }) => [step, skipped])).toEqual([
    [1, undefined],
    [2, 1],
    [3, 1],
    [4, 1],
  ]);
  const warnings = await readLines(join(output, "warnings.jsonl"));
  expect(Object.keys(warnings[0]!)).toEqual(["step", "kind", "message", "hint"]);
  // weights that cannot be sampled are not saved again
  expect((await readdir(output)).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint-1"]);
  expect((await readdir(join(output, "skipped"))).sort()).toEqual(
    [2, 3, 4].map((step) => `step-${step}.json`),
  );
});

test("one that breaks them between two iterations is undone, and the state before it is saved", async () => {
  const output = join(folder, "undone");
  const { code, err } = await run("train", {
    ...{ ...flags, "--output-dir": output, "--num-iterations": 2, "--max-skipped-steps": 2 },
  });
  expect(code).toBe(1);
  const last = join(output, "checkpoint-2");
  expect(err).toMatch(
    /\nerror: step 2: the last 2 steps were dropped, maxSkippedSteps is 2: the loss must be a/,
  );
  expect(err.endsWith(`the last good state is ${last}\n`)).toBe(true);
  expect(await valuesOf(join(last, "model.safetensors"))).toBe(
    await valuesOf(join(model, "model.safetensors")),
  );
  expect(JSON.parse(await readFile(join(last, "optimizer.json"), "utf8"))).toEqual({ step: 0 });
  expect(await readdir(output)).not.toContain("before-step");

  // it loads: two steps more are dropped
  const again = await run("train", { "--output-dir": output, "--resume": true, "--max-skipped-steps": 4 });
  expect(again.err).toMatch(/\nerror: step 4: the last 4 steps were dropped, maxSkippedSteps is 4: the loss/);
});

test("a model whose weights are no numbers is refused by its first answer, as what it is", async () => {
  const poisoned = join(folder, "poisoned");
  cpSync(model, poisoned, { recursive: true });
  const path = join(poisoned, "model.safetensors");
  const bytes = await readFile(path);
  bytes.writeFloatLE(Number.NaN, bytes.length - 4);
  await writeFile(path, bytes);
  const { code, err } = await run("train", {
    ...flags,
    "--model": poisoned,
    "--output-dir": join(folder, "none"),
  });
  expect(code).toBe(1);
  expect(err).toMatch(
    /^error: sample: scores must be finite numbers, got NaN\nhint: the weights are at fault: .* the model's files are damaged\n$/m,
  );
});
