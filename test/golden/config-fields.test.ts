/**
 * Every config field that changes numbers is really used: altering it moves the golden models' log-probabilities off
 * the reference. The unaltered models pass, so it is the alteration that is seen.
 */
import { readFileSync } from "node:fs";
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

const places = {
  llama: fileURLToPath(new URL("../fixtures/golden/llama3-rope-biases", import.meta.url)),
  qwen2: fileURLToPath(new URL("../fixtures/golden/qwen2-tied", import.meta.url)),
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

/** The model with the tensors that match set to zero. */
function withZeros(model: Model, pattern: RegExp): Model {
  const flat = model.flat.slice();
  const chosen = model.parameters.filter(({ name }) => pattern.test(name));
  expect(chosen.length).toBeGreaterThan(0);
  for (const parameter of chosen) parameterView(flat, parameter).fill(0);
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

const scaling = (field: string, value: number) => (json: Json) => ({
  ...json,
  rope_scaling: { ...(json.rope_scaling as Json), [field]: value },
});
const field = (fields: Json) => (json: Json) => ({ ...json, ...fields });

type Alteration = [name: string, alter: (model: Model) => Model];
const config = (name: string, alter: (json: Json) => Json): Alteration => [
  name,
  (model) => underConfig(model, alter),
];
const zeros = (name: string, pattern: RegExp): Alteration => [name, (model) => withZeros(model, pattern)];

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
};

describe.each(Object.entries(places))("%s", (family, folder) => {
  test("unaltered, matches the reference", async () => {
    expect(await distance(folder, await loadModel(folder))).toBeLessThan(TOLERANCE);
  });

  test("rewritten under its own config, matches the reference", async () => {
    const same = underConfig(await loadModel(folder), (json) => json);
    expect(await distance(folder, same)).toBeLessThan(TOLERANCE);
  });

  test.each(alterations[family as keyof typeof places])("%s is seen", async (_name, alter) => {
    expect(await distance(folder, alter(await loadModel(folder)))).toBeGreaterThan(CLEAR);
  });

  test.each(["head_dim", "num_key_value_heads", "num_attention_heads", "hidden_size", "intermediate_size"])(
    "%s doubled is refused, as no tensor has such a shape",
    async (name) => {
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
    },
  );
});
