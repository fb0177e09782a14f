import { expect, test } from "vitest";
import { parseModelConfig } from "./config.ts";
import { parameterShapes } from "./parameters.ts";
import { fuseTensors } from "./tensors.ts";

const config = parseModelConfig(
  {
    model_type: "qwen2",
    vocab_size: 11,
    hidden_size: 8,
    intermediate_size: 20,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 32,
    tie_word_embeddings: true,
  },
  "config.json",
);
const parameters = parameterShapes(config);
const offsetOf = (name: string) => parameters.find((p) => p.name === `model.layers.0.${name}`)!.offset;

test("query, key and value projections become one tensor over the same values, biases too", () => {
  const before = structuredClone(parameters);
  const tensors = fuseTensors(parameters);
  expect(tensors.map(({ name, shape }) => `${name.replace("model.layers.0.", "")} ${shape}`)).toEqual([
    "model.embed_tokens.weight 11,8",
    "input_layernorm.weight 8",
    "self_attn.qkv_proj.weight 16,8", // 8 + 4 + 4 rows
    "self_attn.qkv_proj.bias 16",
    "self_attn.o_proj.weight 8,8",
    "post_attention_layernorm.weight 8",
    "mlp.gate_proj.weight 20,8",
    "mlp.up_proj.weight 20,8",
    "mlp.down_proj.weight 8,20",
    "model.norm.weight 8",
  ]);
  expect(tensors[2]).toMatchObject({ offset: offsetOf("self_attn.q_proj.weight"), size: 128 });
  expect(parameters).toEqual(before);
});

test("what Phi-3 holds as one, gate and up, is fed as two tensors over its halves; q, k and v stay one", () => {
  const file = {
    model_type: "phi3",
    vocab_size: 11,
    hidden_size: 8,
    intermediate_size: 20,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 32,
  };
  const parameters = parameterShapes(parseModelConfig(file, "config.json"));
  const named = (name: string) => parameters.find((p) => p.name === `model.layers.0.${name}.weight`)!;
  expect(named("self_attn.qkv_proj").shape).toEqual([16, 8]);
  expect(named("mlp.gate_up_proj").shape).toEqual([40, 8]);
  const { offset } = named("mlp.gate_up_proj");
  const fed = fuseTensors(parameters).filter(({ name }) => /qkv|gate|up/.test(name));
  expect(fed.map(({ name, shape, size }) => [name.replace("model.layers.0.", ""), shape, size])).toEqual([
    ["self_attn.qkv_proj.weight", [16, 8], 128],
    ["mlp.gate_proj.weight", [20, 8], 160],
    ["mlp.up_proj.weight", [20, 8], 160],
  ]);
  expect(fed.slice(1).map((tensor) => tensor.offset)).toEqual([offset, offset + 160]);
});
