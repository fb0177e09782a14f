/** A user trains an adapter: what a run leaves, how it goes on, and what other commands make of it. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runFolderAt } from "../../src/store/run-folder.ts";
import { trainedWeights } from "../../src/train/saved-run.ts";
import { type Flags, makeFolder, makeParityTask, makeTinyModel, run, tiny } from "../e2e/tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let flags: Flags;
let whole: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  flags = {
    ...{ ...tiny, "--task-options": "{}", "--task": await makeParityTask(folder) },
    ...{ "--model": await makeTinyModel(join(folder, "model")), "--lora-r": 2, "--learning-rate": 0.1 },
  };
  whole = join(folder, "whole");
  expect((await run("train", { ...flags, "--output-dir": whole })).code).toBe(0);
});
afterAll(() => remove());

const weightsOf = (dir: string) => readFile(join(dir, "model.safetensors"), "base64");

test("the run leaves a PEFT folder as its checkpoint, and a model with the adapter merged in", async () => {
  expect((await readdir(join(whole, "checkpoint-2"))).sort()).toEqual([
    "adapter_config.json",
    "adapter_model.safetensors",
    "digests.json",
    "optimizer.json",
    "optimizer.safetensors",
    "trainer_state.json",
  ]);
  expect(
    JSON.parse(await readFile(join(whole, "checkpoint-2", "adapter_config.json"), "utf8")),
  ).toMatchObject({
    peft_type: "LORA",
    base_model_name_or_path: join(folder, "model"),
    r: 2,
    lora_alpha: 32,
    target_modules: "all-linear",
  });
  expect(await weightsOf(join(whole, "model"))).not.toBe(await weightsOf(join(folder, "model")));
});

test("stopped after a step, --resume gives the same adapter to the last bit", async () => {
  const output = join(folder, "stopped");
  const stopped = await run("train", { ...flags, "--output-dir": output }, { stopAt: /^train {2}1\//m });
  expect(stopped.code).toBe(130);
  expect((await run("train", { "--output-dir": output, "--resume": true })).code).toBe(0);
  expect(await weightsOf(join(output, "model"))).toBe(await weightsOf(join(whole, "model")));
});

test("eval measures the adapter of a run as it measures the model that it is merged into", async () => {
  const beside = await run("eval", { "--checkpoint": whole });
  const merged = await run("eval", { "--checkpoint": join(whole, "model") });
  expect([beside.code, merged.code]).toEqual([0, 0]);
  expect(beside.out).toBe(merged.out);
});

test("a run may go on from an adapter, whose own rank holds", async () => {
  const output = join(folder, "further");
  const { "--lora-r": _, ...others } = flags;
  const further = await run("train", {
    ...others,
    "--adapter": join(whole, "checkpoint-2"),
    "--output-dir": output,
  });
  expect(further.code).toBe(0);
  const config = await readFile(join(output, "checkpoint-2", "adapter_config.json"), "utf8");
  expect(JSON.parse(config)).toMatchObject({ r: 2, base_model_name_or_path: join(folder, "model") });
});

test("swap and transfer measure the adapter beside its weights, not merged into them", async () => {
  expect(await trainedWeights(runFolderAt(whole))).toBe(join(whole, "checkpoint-2"));
});

test("a target that is no projection of the model is named", async () => {
  const { code, err } = await run("train", {
    ...flags,
    "--lora-target-modules": "q_proj,w_proj",
    "--output-dir": join(folder, "wrong"),
  });
  expect(code).toBe(1);
  expect(err).toBe(
    `error: LoRA's target modules: must name projections of the model, got "w_proj"\n` +
      "hint: they are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; all-linear takes them all\n",
  );
});

test("an adapter that is not there is named", async () => {
  const { code, err } = await run("train", {
    ...flags,
    "--adapter": join(folder, "nowhere"),
    "--output-dir": join(folder, "wrong"),
  });
  expect(code).toBe(1);
  expect(err).toContain(`${join(folder, "nowhere", "adapter_config.json")}: cannot be read`);
});

describe("export", () => {
  const exported = (name: string, flags: Flags) =>
    run("export", { "--checkpoint": whole, "--output": join(folder, name), ...flags });

  test("merges the adapter into a Hugging Face folder with its tokenizer", async () => {
    const { code, out } = await exported("merged", {});
    expect([code, out]).toEqual([0, `${join(folder, "merged")}\n`]);
    expect(await weightsOf(join(folder, "merged"))).toBe(await weightsOf(join(whole, "model")));
    expect((await readdir(join(folder, "merged"))).sort()).toEqual(
      (await readdir(join(whole, "model"))).sort(),
    );
  });

  test("writes half as much in bfloat16, which loads again", async () => {
    await exported("half", { "--dtype": "bfloat16" });
    const size = async (name: string) => (await stat(join(folder, name, "model.safetensors"))).size;
    expect(await size("half")).toBeLessThan(
      0.6 * (await stat(join(whole, "model", "model.safetensors"))).size,
    );
    const config = JSON.parse(await readFile(join(folder, "half", "config.json"), "utf8"));
    expect(config.torch_dtype).toBe("bfloat16");
    expect((await run("eval", { "--checkpoint": join(folder, "half"), ...flagsOfTask() })).code).toBe(0);
  });

  test("writes the adapter alone, as the checkpoint holds it", async () => {
    await exported("adapter", { "--format": "adapter" });
    const file = "adapter_model.safetensors";
    expect(await readFile(join(folder, "adapter", file))).toEqual(
      await readFile(join(whole, "checkpoint-2", file)),
    );
  });

  test("writes an ONNX graph as Optimum lays it out", async () => {
    await exported("onnx", { "--format": "onnx" });
    expect(await readdir(join(folder, "onnx", "onnx"))).toEqual(["model.onnx"]);
    expect(await readdir(join(folder, "onnx"))).toContain("tokenizer.json");
  });

  test("refuses a folder that holds something, an adapter where there is none, and a dtype that a form has not", async () => {
    const error = async (flags: Flags, name = "refused") => (await exported(name, flags)).err.split("\n")[0];
    expect(await error({}, "merged")).toBe(
      `error: output: must be a new or empty folder, got "${join(folder, "merged")}"`,
    );
    expect(await error({ "--format": "onnx", "--dtype": "float16" })).toBe(
      "error: dtype: must be float32 for the format onnx, got float16",
    );
    expect(await error({ "--format": "adapter", "--checkpoint": join(whole, "model") })).toContain(
      "error: format: adapter needs a run that trained one (--lora-r)",
    );
  });

  const flagsOfTask = () => {
    const { "--task": task, "--model": model, "--preset": preset } = flags;
    return { "--task": task!, "--model": model!, "--preset": preset!, "--task-options": "{}" };
  };
});

test("over an 8-bit base a run trains and resumes, and its model is the whole base with the adapter", async () => {
  const output = join(folder, "int8");
  const quantised = { ...flags, "--quantization": "int8", "--output-dir": output };
  expect((await run("train", quantised, { stopAt: /^train {2}1\//m })).code).toBe(130);
  expect((await run("train", { "--output-dir": output, "--resume": true })).code).toBe(0);
  const exported = join(folder, "int8-exported");
  expect((await run("export", { "--checkpoint": output, "--output": exported })).code).toBe(0);
  expect(await weightsOf(exported)).toBe(await weightsOf(join(output, "model")));
  const steps = (await readFile(join(output, "metrics.jsonl"), "utf8")).trim().split("\n");
  // a step without a group to learn from has none
  const mismatches = steps.flatMap((line) => JSON.parse(line)["sampling/logprob_difference_max"] ?? []);
  expect(mismatches).not.toEqual([]);
  for (const mismatch of mismatches) expect(mismatch).toBeLessThan(0.01);
});

test("a quantised base without an adapter is refused before anything is loaded", async () => {
  const { "--lora-r": _, ...others } = flags;
  const { code, err } = await run("train", {
    ...{ ...others, "--quantization": "int4", "--output-dir": join(folder, "refused") },
  });
  expect(code).toBe(1);
  expect(err).toBe(
    `error: quantization: training needs an adapter, got "int4" without\n` +
      "hint: a step is far smaller than the distance of two integers: add --lora-r 16, or leave --quantization out\n",
  );
});
