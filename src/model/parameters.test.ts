import { describe, expect, test } from "vitest";
import { parseModelConfig } from "./config.ts";
import { flatSize, initParameters, parameterCount, parameterShapes, parameterView } from "./parameters.ts";

const json = {
  model_type: "llama",
  vocab_size: 11,
  hidden_size: 8,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 32,
};
const config = (changes: object = {}) => parseModelConfig({ ...json, ...changes }, "config.json");

describe("parameterShapes", () => {
  test("lists Hugging Face names and shapes in order", () => {
    const layer = (i: number) => [
      [`model.layers.${i}.input_layernorm.weight`, [8]],
      [`model.layers.${i}.self_attn.q_proj.weight`, [8, 8]],
      [`model.layers.${i}.self_attn.k_proj.weight`, [4, 8]],
      [`model.layers.${i}.self_attn.v_proj.weight`, [4, 8]],
      [`model.layers.${i}.self_attn.o_proj.weight`, [8, 8]],
      [`model.layers.${i}.post_attention_layernorm.weight`, [8]],
      [`model.layers.${i}.mlp.gate_proj.weight`, [20, 8]],
      [`model.layers.${i}.mlp.up_proj.weight`, [20, 8]],
      [`model.layers.${i}.mlp.down_proj.weight`, [8, 20]],
    ];
    expect(parameterShapes(config()).map(({ name, shape }) => [name, shape])).toEqual([
      ["model.embed_tokens.weight", [11, 8]],
      ...layer(0),
      ...layer(1),
      ["model.norm.weight", [8]],
      ["lm_head.weight", [11, 8]],
    ]);
  });

  test("puts biases where the family has them", () => {
    const biases = (changes: object) =>
      parameterShapes(config({ num_hidden_layers: 1, ...changes }))
        .filter(({ name }) => name.endsWith(".bias"))
        .map(({ name, shape }) => `${name.split(".").at(-2)} ${shape}`);
    expect(biases({})).toEqual([]);
    expect(biases({ model_type: "qwen2" })).toEqual(["q_proj 8", "k_proj 4", "v_proj 4"]);
    expect(biases({ attention_bias: true })).toEqual(["q_proj 8", "k_proj 4", "v_proj 4", "o_proj 8"]);
    expect(biases({ mlp_bias: true })).toEqual(["gate_proj 20", "up_proj 20", "down_proj 8"]);
  });

  test("widens the queries when head_dim is not hidden_size / heads", () => {
    const shapes = Object.fromEntries(parameterShapes(config({ head_dim: 6 })).map((p) => [p.name, p.shape]));
    expect(shapes["model.layers.0.self_attn.q_proj.weight"]).toEqual([24, 8]);
    expect(shapes["model.layers.0.self_attn.k_proj.weight"]).toEqual([12, 8]);
    expect(shapes["model.layers.0.self_attn.o_proj.weight"]).toEqual([8, 24]);
  });

  test("aligns offsets to 16 values without overlap, but for what follows its fellow, and counts without the padding", () => {
    const parameters = parameterShapes(config({ tie_word_embeddings: true, model_type: "qwen2" }));
    let end = 0;
    for (const { name, offset, size } of parameters) {
      if (/\.[kv]_proj|\.up_proj/.test(name)) expect(offset).toBe(end);
      else expect(offset % 16).toBe(0);
      expect(offset - end).toBeGreaterThanOrEqual(0);
      expect(offset - end).toBeLessThan(16);
      end = offset + size;
    }
    expect(flatSize(parameters)).toBe(Math.ceil(end / 16) * 16);
    // 11·8 + 2·(2·8 + 64+8 + 2·(32+4) + 64 + 3·160) + 8, by hand
    expect(parameterCount(config({ tie_word_embeddings: true, model_type: "qwen2" }))).toBe(1504);
  });

  test("decays matrices, not norms and biases", () => {
    const parameters = parameterShapes(config({ model_type: "qwen2" }));
    const kept = parameters.filter((p) => !p.decay).map((p) => p.name);
    expect(kept.every((name) => /norm\.weight$|\.bias$/.test(name))).toBe(true);
    expect(kept).toHaveLength(2 * 5 + 1);
  });
});

describe("initParameters", () => {
  const wide = config({
    hidden_size: 128,
    intermediate_size: 256,
    model_type: "qwen2",
    initializer_range: 0.05,
  });
  const parameters = parameterShapes(wide);
  const flat = initParameters(wide, 3);
  const values = (name: string, of = flat) => parameterView(of, parameters.find((p) => p.name === name)!);
  const std = (array: Float32Array) => Math.sqrt(array.reduce((sum, x) => sum + x * x, 0) / array.length);

  test("draws matrices with the config's deviation, residual projections with less", () => {
    // 128 · 128 draws or more: the deviation is known to 0.6 %, so 3 % is five sigma.
    const isNear = (name: string, expected: number) => Math.abs(std(values(name)) / expected - 1) < 0.03;
    expect(isNear("model.layers.0.self_attn.q_proj.weight", 0.05)).toBe(true);
    expect(isNear("model.layers.0.self_attn.o_proj.weight", 0.05 / Math.sqrt(4))).toBe(true);
    expect(isNear("model.layers.1.mlp.down_proj.weight", 0.05 / Math.sqrt(4))).toBe(true);
  });

  test("sets norms to 1, biases and padding to 0", () => {
    expect(values("model.norm.weight").every((x) => x === 1)).toBe(true);
    expect(values("model.layers.1.post_attention_layernorm.weight").every((x) => x === 1)).toBe(true);
    expect(values("model.layers.0.self_attn.q_proj.bias").every((x) => x === 0)).toBe(true);
    const filled = parameters.filter((p) => !p.name.endsWith(".bias")).reduce((sum, p) => sum + p.size, 0);
    expect(flat.filter((x) => x !== 0)).toHaveLength(filled);
  });

  test("is a function of the seed and the name, and no two parameters share their draws", () => {
    const isSame = (a: Float32Array, b: Float32Array) => a.every((value, i) => value === b[i]);
    const embedding = values("model.embed_tokens.weight");
    expect(isSame(initParameters(wide, 3), flat)).toBe(true);
    expect(isSame(values("model.embed_tokens.weight", initParameters(wide, 4)), embedding)).toBe(false);
    const [first, second] = [0, 1].map((i) => values(`model.layers.${i}.mlp.up_proj.weight`));
    expect(isSame(first!, second!)).toBe(false);
  });
});
