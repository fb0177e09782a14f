import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from "../../core/model-folder.ts";
import type { LoraConfig } from "../config.ts";
import { parseModelConfig } from "../config.ts";
import { parameterView } from "../parameters.ts";
import { openSafetensors, writeSafetensors } from "../safetensors.ts";
import { initAdapter, loraParameters, loraScale, mergedWeight } from "./adapter.ts";
import { loadAdapter, saveAdapter } from "./folder.ts";

const config = parseModelConfig(
  {
    model_type: "llama",
    vocab_size: 11,
    hidden_size: 8,
    intermediate_size: 20,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 32,
  },
  "config.json",
);
const lora: LoraConfig = { r: 2, alpha: 6, useRslora: false, targetModules: ["q_proj", "down_proj"] };

describe("loraParameters", () => {
  test("lists A [r, in] and B [out, r] of every target in the model's order", () => {
    expect(loraParameters(config, lora).map(({ name, shape }) => [name, shape])).toEqual(
      [0, 1].flatMap((i) => [
        [`model.layers.${i}.self_attn.q_proj.lora_A.weight`, [2, 8]],
        [`model.layers.${i}.self_attn.q_proj.lora_B.weight`, [8, 2]],
        [`model.layers.${i}.mlp.down_proj.lora_A.weight`, [2, 20]],
        [`model.layers.${i}.mlp.down_proj.lora_B.weight`, [8, 2]],
      ]),
    );
  });

  test("all-linear takes the seven projections of each layer, a full name one", () => {
    const count = (targetModules: LoraConfig["targetModules"]) =>
      loraParameters(config, { ...lora, targetModules }).length / 2;
    expect(count("all-linear")).toBe(14);
    expect(count(["model.layers.1.self_attn.v_proj"])).toBe(1);
  });

  test.each([
    [["w_proj"], 'got "w_proj"'],
    [["lm_head"], 'got "lm_head"'],
    [[], "got none"],
  ])("refuses the targets %j", (targetModules, message) => {
    expect(() => loraParameters(config, { ...lora, targetModules })).toThrow(message);
  });
});

test("a fresh adapter is bounded in A, 0 in B, and the same for the same seed", () => {
  const adapter = initAdapter(config, lora, { seed: 3 });
  const [a, b] = adapter.parameters.map((parameter) => parameterView(adapter.flat, parameter));
  expect(Math.max(...a!)).toBeGreaterThan(0.5 / Math.sqrt(8));
  expect(Math.max(...a!)).toBeLessThan(1 / Math.sqrt(8));
  expect(Math.min(...a!)).toBeLessThan(-0.5 / Math.sqrt(8));
  expect(b!.every((value) => value === 0)).toBe(true);
  expect(initAdapter(config, lora, { seed: 3 }).flat).toEqual(adapter.flat);
  expect(initAdapter(config, lora, { seed: 4 }).flat).not.toEqual(adapter.flat);
});

test("the scale is alpha / r, and alpha / √r when rank-stabilised", () => {
  expect(loraScale({ ...lora, r: 4, alpha: 6 })).toBe(1.5);
  expect(loraScale({ ...lora, r: 4, alpha: 6, useRslora: true })).toBe(3);
});

test("a merged weight is W + s·B·A, by hand", () => {
  const adapter = {
    lora: { ...lora, r: 1, alpha: 2 },
    base: null,
    parameters: [
      { name: "m.lora_A.weight", shape: [1, 3], size: 3, offset: 0, decay: true },
      { name: "m.lora_B.weight", shape: [2, 1], size: 2, offset: 3, decay: true },
    ],
    flat: Float32Array.of(1, 2, 3, /* B */ 10, -1),
  };
  const weight = { name: "m.weight", shape: [2, 3], size: 6, offset: 0, decay: true };
  // s = 2: rows 10·2·(1 2 3) and −1·2·(1 2 3) on top of 100…105
  expect(mergedWeight(weight, Float32Array.of(100, 101, 102, 103, 104, 105), adapter)).toEqual(
    Float32Array.of(120, 141, 162, 101, 100, 99),
  );
  expect(mergedWeight({ ...weight, name: "other.weight" }, new Float32Array(6), adapter)).toBeUndefined();
});

describe("a PEFT folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mulligan-adapter-"));
    await saveAdapter(folder, adapter);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const adapter = initAdapter(config, { ...lora, useRslora: true }, { seed: 3, base: "some/model" });
  const file = () => join(folder, ADAPTER_CONFIG);
  const change = async (changes: object) =>
    writeFile(file(), JSON.stringify({ ...JSON.parse(await readFile(file(), "utf8")), ...changes }));

  test("round-trips, under PEFT's names", async () => {
    expect(await loadAdapter(folder, config)).toEqual(adapter);
    const weights = await openSafetensors(join(folder, ADAPTER_WEIGHTS));
    expect([...weights.tensors.keys()].slice(0, 2)).toEqual([
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
    ]);
    await weights.close();
  });

  test("may hold fields that are off or that say how it was trained", async () => {
    await change({
      lora_dropout: 0.1,
      modules_to_save: null,
      rank_pattern: {},
      use_dora: false,
      new_kind: null,
    });
    expect(await loadAdapter(folder, config)).toEqual(adapter);
  });

  test.each([
    [{ peft_type: "LOHA" }, 'peft_type: not supported, got "LOHA"'],
    [{ r: 0 }, "r: not supported, got 0"],
    [{ use_dora: true }, "use_dora: not supported, got true"],
    [{ bias: "all" }, 'bias: not supported, got "all"'],
    [{ modules_to_save: ["lm_head"] }, 'modules_to_save: not supported, got ["lm_head"]'],
    [{ rank_pattern: { q_proj: 4 } }, 'rank_pattern: not supported, got {"q_proj":4}'],
    [{ init_lora_weights: "pissa" }, 'init_lora_weights: not supported, got "pissa"'],
    [{ target_modules: ".*_proj" }, 'target_modules: not supported, got ".*_proj"'],
    [{ new_kind: 3 }, "new_kind: not supported, got 3"],
    [{ r: 3 }, "has shape [2, 8], expected [3, 8]"],
    [{ target_modules: ["q_proj"] }, 'mlp.down_proj.lora_A.weight" is not part of the adapter'],
    [{ target_modules: ["q_proj", "down_proj", "v_proj"] }, 'v_proj.lora_A.weight" is missing'],
    [{ target_modules: ["w"] }, 'must name projections of the model, got "w"'],
  ])("is refused with %j", async (changes, message) => {
    await change(changes);
    await expect(loadAdapter(folder, config)).rejects.toThrow(message);
  });

  test("is refused when a file is missing, broken or not an object", async () => {
    await writeFile(file(), "[]");
    await expect(loadAdapter(folder, config)).rejects.toThrow("peft_type: not supported, got nothing");
    await writeFile(file(), "{");
    await expect(loadAdapter(folder, config)).rejects.toThrow("adapter_config.json: cannot be read");
    await rm(file());
    await expect(loadAdapter(folder, config)).rejects.toThrow("adapter_config.json: cannot be read");
    await saveAdapter(folder, adapter);
    await writeSafetensors(join(folder, ADAPTER_WEIGHTS), []);
    await expect(loadAdapter(folder, config)).rejects.toThrow('lora_A.weight" is missing');
  });
});
