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

test("projections of one input become one tensor over the same values, biases too", () => {
  const tensors = fuseTensors(parameters, ["qkv_proj", "gate_up_proj"]);
  expect(tensors.map(({ name, shape }) => `${name.replace("model.layers.0.", "")} ${shape}`)).toEqual([
    "model.embed_tokens.weight 11,8",
    "input_layernorm.weight 8",
    "self_attn.qkv_proj.weight 16,8", // 8 + 4 + 4 rows
    "self_attn.qkv_proj.bias 16",
    "self_attn.o_proj.weight 8,8",
    "post_attention_layernorm.weight 8",
    "mlp.gate_up_proj.weight 40,8",
    "mlp.down_proj.weight 8,20",
    "model.norm.weight 8",
  ]);
  expect(tensors[2]).toMatchObject({ offset: offsetOf("self_attn.q_proj.weight"), size: 128 });
  expect(tensors[6]).toMatchObject({ offset: offsetOf("mlp.gate_proj.weight"), size: 320 });
});

test("without a choice every parameter stands alone, and the parameters are left as they were", () => {
  const before = structuredClone(parameters);
  fuseTensors(parameters, ["qkv_proj"]);
  expect(
    fuseTensors(parameters, []).map(({ name, shape, size, offset }) => ({ name, shape, size, offset })),
  ).toEqual(before.map(({ name, shape, size, offset }) => ({ name, shape, size, offset })));
});
