/**
 * Every config field that changes numbers is really used: altering it moves the golden models' log-probabilities off
 * the reference. The unaltered models pass, so it is the alteration that is seen.
 */
import { existsSync, readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createCore } from "../../src/engine/local/core.ts";
import { type ModelConfig, parseModelConfig } from "../../src/model/config.ts";
import { loadModel, type Model } from "../../src/model/folder.ts";
import { flatSize, parameterShapes, parameterView } from "../../src/model/parameters.ts";
import { openSafetensors } from "../../src/model/safetensors.ts";

/** Of log-probabilities, as in test/golden/decoder.test.ts. */
const TOLERANCE = 5e-5;
/** An alteration must stand clear of the tolerance, or a looser one would hide it. */
const CLEAR = 4 * TOLERANCE;

type Json = Record<string, unknown>;

const place = (name: string) => fileURLToPath(new URL(`../fixtures/golden/${name}`, import.meta.url));
const places = {
  llama: place("llama3-rope-biases"),
  qwen2: place("qwen2-tied"),
  "qwen2 with a window and yarn": place("qwen2-window-yarn"),
  qwen3: place("qwen3-qk-norm"),
  mistral: place("mistral-window"),
  phi3: place("phi3-longrope"),
  smollm3: place("smollm3-no-rope"),
};

/** The model under another config: each tensor that both have, as it is; any other, zero. */
function underConfig(model: Model, alter: (json: Json) => Json): Model {
  const config: ModelConfig = parseModelConfig(alter(structuredClone(model.config.json)), "altered config");
  const parameters = parameterShapes(config);
  const flat = new Float32Array(flatSize(parameters));
  for (const parameter of parameters) {
    const old = model.parameters.find(({ name }) => name === parameter.name);
    if (!old) continue;
    expect(parameter.shape, parameter.name).toEqual(old.shape);
    parameterView(flat, parameter).set(parameterView(model.flat, old));
  }
  return { config, parameters, flat };
}

/** The model with each tensor that matches computed from all tensors. */
function withTensors(
  model: Model,
  pattern: RegExp,
  alter: (values: Float32Array, name: string, tensor: (name: string) => Float32Array) => Float32Array,
): Model {
  const flat = model.flat.slice();
  const tensor = (name: string) =>
    parameterView(model.flat, model.parameters.find((parameter) => parameter.name === name)!);
  const chosen = model.parameters.filter(({ name }) => pattern.test(name));
  expect(chosen.length).toBeGreaterThan(0);
  for (const parameter of chosen) {
    parameterView(flat, parameter).set(alter(tensor(parameter.name), parameter.name, tensor));
  }
  return { ...model, flat };
}

/** The largest distance of a log-probability from the reference, over all cases. */
async function distance(folder: string, model: Model): Promise<number> {
  const { cases } = JSON.parse(readFileSync(`${folder}/cases.json`, "utf8")) as {
    cases: { lengths: number[]; input_ids: number[][]; logprobs: string }[];
  };
  const engine = createCore(model, 1);
  const numbers = await openSafetensors(`${folder}/cases.safetensors`);
  let largest = 0;
  for (const { input_ids, lengths, logprobs } of cases) {
    const expected = await numbers.read(logprobs);
    const width = input_ids[0]!.length - 1;
    const rows = input_ids.map((ids, b) => ({
      tokens: Int32Array.from(ids.slice(0, lengths[b]! - 1)),
      targets: Int32Array.from(ids.slice(1, lengths[b])),
    }));
    (await engine.forward(rows)).forEach((row, b) => {
      row.forEach((value, t) => {
        largest = Math.max(largest, Math.abs(value - expected[b * width + t]!));
      });
    });
  }
  await numbers.close();
  await engine.close();
  return largest;
}

const scaling = (field: string, value: unknown) => (json: Json) => ({
  ...json,
  rope_scaling: { ...(json.rope_scaling as Json), [field]: value },
});
const field = (fields: Json) => (json: Json) => ({ ...json, ...fields });

type Alteration = [name: string, alter: (model: Model) => Model];
const config = (name: string, alter: (json: Json) => Json): Alteration => [
  name,
  (model) => underConfig(model, alter),
];
const tensors = (
  name: string,
  ...how: Parameters<typeof withTensors> extends [Model, ...infer R] ? R : never
): Alteration => [name, (model) => withTensors(model, ...how)];
const zeros = (name: string, pattern: RegExp) => tensors(name, pattern, (values) => values.map(() => 0));
const halvesExchanged = (values: Float32Array) => {
  const half = values.length / 2;
  return Float32Array.from(values, (_, i) => values[(i + half) % values.length]!);
};

const alterations: Record<keyof typeof places, Alteration[]> = {
  llama: [
    config("rms_norm_eps 1e-5 → 1e-6", field({ rms_norm_eps: 1e-6 })),
    config("rms_norm_eps 1e-5 → 1e-4", field({ rms_norm_eps: 1e-4 })),
    config("rope_theta 500 → 600", field({ rope_theta: 600 })),
    config("rope_scaling left out", field({ rope_scaling: null })),
    config("rope_scaling.factor 8 → 4", scaling("factor", 4)),
    config("rope_scaling.low_freq_factor 1 → 1.25", scaling("low_freq_factor", 1.25)),
    config("rope_scaling.high_freq_factor 4 → 3", scaling("high_freq_factor", 3)),
    config("rope_scaling.original 96 → 80", scaling("original_max_position_embeddings", 80)),
    config(
      "4 heads on 2 of size 6 → 2 on 1 of size 12",
      field({ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 12 }),
    ),
    config("attention_bias true → false", field({ attention_bias: false })),
    config("mlp_bias true → false", field({ mlp_bias: false })),
    config("tie_word_embeddings false → true", field({ tie_word_embeddings: true })),
    config("num_hidden_layers 2 → 1", field({ num_hidden_layers: 1 })),
    zeros("no q bias", /q_proj\.bias/),
    zeros("no k bias", /k_proj\.bias/),
    zeros("no v bias", /v_proj\.bias/),
    zeros("no o bias", /o_proj\.bias/),
    zeros("no gate bias", /gate_proj\.bias/),
    zeros("no up bias", /up_proj\.bias/),
    zeros("no down bias", /down_proj\.bias/),
  ],
  qwen2: [
    config("rms_norm_eps 1e-6 → 1e-5", field({ rms_norm_eps: 1e-5 })),
    config("rope_theta 1e6 → 5e5", field({ rope_theta: 5e5 })),
    config(
      "4 heads on 2 of size 4 → 2 on 1 of size 8",
      field({ num_attention_heads: 2, num_key_value_heads: 1 }),
    ),
    config(
      "tie_word_embeddings true → false (a head of its own, zero)",
      field({ tie_word_embeddings: false }),
    ),
    config("model_type qwen2 → llama (no biases)", (json) => ({
      ...json,
      model_type: "llama",
      architectures: ["LlamaForCausalLM"],
    })),
    zeros("no q bias", /q_proj\.bias/),
    zeros("no k bias", /k_proj\.bias/),
    zeros("no v bias", /v_proj\.bias/),
  ],
  "qwen2 with a window and yarn": [
    config("use_sliding_window true → false", field({ use_sliding_window: false })),
    config("sliding_window 7 → 6", field({ sliding_window: 6 })),
    config("sliding_window 7 → 8", field({ sliding_window: 8 })),
    config("max_window_layers 1 → 0", field({ max_window_layers: 0 })),
    config("the window in the other layer", field({ layer_types: ["sliding_attention", "full_attention"] })),
    config("rope_scaling left out", field({ rope_scaling: null })),
    config("rope_scaling.factor 4 → 3", scaling("factor", 3)),
    config("rope_scaling.beta_fast 16 → 32", scaling("beta_fast", 32)),
    config("rope_scaling.beta_slow 2 → 4", scaling("beta_slow", 4)),
    config("rope_scaling.original 512 → 400", scaling("original_max_position_embeddings", 400)),
    config("rope_scaling.attention_factor 1.14 → 1", scaling("attention_factor", 1)),
  ],
  qwen3: [
    config("rms_norm_eps 1e-6 → 1e-4", field({ rms_norm_eps: 1e-4 })),
    config("rope_theta 1e4 → 5e3", field({ rope_theta: 5e3 })),
    config("tie_word_embeddings true → false", field({ tie_word_embeddings: false })),
    ["q and k not normalised", (model) => ({ ...model, config: { ...model.config, qkNorm: false } })],
    tensors("q_norm without weights", /q_norm/, (values) => values.map(() => 1)),
    tensors("k_norm without weights", /k_norm/, (values) => values.map(() => 1)),
    tensors("q_norm and k_norm exchanged", /[qk]_norm/, (_, name, tensor) =>
      tensor(name.replace(/[qk]_norm/, (norm) => (norm === "q_norm" ? "k_norm" : "q_norm"))),
    ),
  ],
  mistral: [
    config("sliding_window 5 → null", field({ sliding_window: null })),
    config("sliding_window 5 → 4", field({ sliding_window: 4 })),
    config("sliding_window 5 → 6", field({ sliding_window: 6 })),
    config("sliding_window left out (4096)", field({ sliding_window: undefined })),
    config("rope_theta 1e4 → 5e3", field({ rope_theta: 5e3 })),
    config(
      "4 heads on 2 of size 6 → 2 on 1 of size 12",
      field({ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 12 }),
    ),
  ],
  phi3: [
    config("sliding_window 9 → null", field({ sliding_window: null })),
    config("sliding_window 9 → 8", field({ sliding_window: 8 })),
    config("sliding_window 9 → 10", field({ sliding_window: 10 })),
    config("rope_scaling left out", field({ rope_scaling: null })),
    config("rope_scaling.short_factor [1, 1.75] → [1, 1.5]", scaling("short_factor", [1, 1.5])),
    config("rope_scaling.attention_factor 1.2 → 1", scaling("attention_factor", 1)),
    config("max_position_embeddings 96 → 48", field({ max_position_embeddings: 48 })),
    config("original_max_position_embeddings 24 → 32", field({ original_max_position_embeddings: 32 })),
    tensors("gate and up exchanged", /gate_up_proj/, halvesExchanged),
  ],
  smollm3: [
    config("no_rope_layers [1, 0, 1] → [1, 1, 1]", field({ no_rope_layers: [1, 1, 1] })),
    config("no_rope_layers [1, 0, 1] → [0, 1, 0]", field({ no_rope_layers: [0, 1, 0] })),
    config(
      "no_rope_layer_interval 2 → 3, without a list",
      field({ no_rope_layers: null, no_rope_layer_interval: 3 }),
    ),
    config("use_sliding_window true → false", field({ use_sliding_window: false })),
    config("sliding_window 6 → 5", field({ sliding_window: 5 })),
    config("sliding_window 6 → 7", field({ sliding_window: 7 })),
    config("tie_word_embeddings true → false", field({ tie_word_embeddings: false })),
  ],
};

describe.each(Object.entries(places))("%s", (family, folder) => {
  test("unaltered, matches the reference", async () => {
    expect(await distance(folder, await loadModel(folder))).toBeLessThan(TOLERANCE);
  });

  test("rewritten under its own config, matches the reference", async () => {
    const same = underConfig(await loadModel(folder), (json) => json);
    expect(await distance(folder, same)).toBeLessThan(TOLERANCE);
  });

  test("as transformers 5 writes it, the config is the same", async () => {
    const path = `${folder}/config.v5.json`;
    if (!existsSync(path)) return;
    const { json: _, ...published } = (await loadModel(folder)).config;
    expect(parseModelConfig(JSON.parse(readFileSync(path, "utf8")), path)).toMatchObject(published);
  });

  test.each(alterations[family as keyof typeof places])("%s is seen", async (_name, alter) => {
    expect(await distance(folder, alter(await loadModel(folder)))).toBeGreaterThan(CLEAR);
  });

  test.each(
    ["head_dim", "num_key_value_heads", "num_attention_heads", "hidden_size", "intermediate_size"].filter(
      // longrope's list of factors no longer fits either (config.test.ts)
      (name) => family !== "phi3" || name !== "head_dim",
    ),
  )("%s doubled is refused, as no tensor has such a shape", async (name) => {
    const { config } = await loadModel(folder);
    const { heads, kvHeads, headSize, hiddenSize, intermediateSize } = config;
    const published: Json = {
      head_dim: headSize,
      num_key_value_heads: kvHeads,
      num_attention_heads: heads,
      hidden_size: hiddenSize,
      intermediate_size: intermediateSize,
    };
    const doubled = { ...config.json, ...published, [name]: 2 * (published[name] as number) };
    const copy = await mkdtemp(join(tmpdir(), "mulligan-golden-"));
    await copyFile(`${folder}/model.safetensors`, join(copy, "model.safetensors"));
    await writeFile(join(copy, "config.json"), JSON.stringify(doubled));
    await expect(loadModel(copy)).rejects.toMatchObject({
      code: "checkpoint",
      message: expect.stringMatching(/has shape \[.*\], expected \[/),
      hint: expect.stringContaining(`${name} = ${doubled[name]}`),
    });
    await rm(copy, { recursive: true });
  });
});
