/** What config.json says in each family, and what is refused by name because it would change the numbers. */
import { describe, expect, test } from "vitest";
import { configToJson, parseModelConfig } from "./config.ts";

/** Fields of Qwen3-0.6B. */
const qwen3 = {
  architectures: ["Qwen3ForCausalLM"],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 151643,
  eos_token_id: 151645,
  head_dim: 128,
  hidden_act: "silu",
  hidden_size: 1024,
  initializer_range: 0.02,
  intermediate_size: 3072,
  max_position_embeddings: 40960,
  max_window_layers: 28,
  model_type: "qwen3",
  num_attention_heads: 16,
  num_hidden_layers: 28,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 1000000,
  sliding_window: null,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
  transformers_version: "4.51.0",
  use_cache: true,
  use_sliding_window: false,
  vocab_size: 151936,
};

/** Fields of Mistral-7B-v0.1. */
const mistral = {
  architectures: ["MistralForCausalLM"],
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: "silu",
  hidden_size: 4096,
  initializer_range: 0.02,
  intermediate_size: 14336,
  max_position_embeddings: 32768,
  model_type: "mistral",
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  sliding_window: 4096,
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
  use_cache: true,
  vocab_size: 32000,
};

/** Fields of Phi-3-mini-4k-instruct. */
const phi3 = {
  architectures: ["Phi3ForCausalLM"],
  attention_bias: false,
  attention_dropout: 0,
  auto_map: {
    AutoConfig: "configuration_phi3.Phi3Config",
    AutoModelForCausalLM: "modeling_phi3.Phi3ForCausalLM",
  },
  bos_token_id: 1,
  embd_pdrop: 0,
  eos_token_id: 32000,
  hidden_act: "silu",
  hidden_size: 3072,
  initializer_range: 0.02,
  intermediate_size: 8192,
  max_position_embeddings: 4096,
  model_type: "phi3",
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 32,
  original_max_position_embeddings: 4096,
  pad_token_id: 32000,
  resid_pdrop: 0,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10000,
  sliding_window: 2047,
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
  use_cache: true,
  vocab_size: 32064,
};

/** As Phi-3.5-mini-instruct, but for the factors' values: one for each of the 48 pairs of channels. */
const longrope = {
  type: "longrope",
  short_factor: Array.from({ length: 48 }, (_, i) => 1 + i / 50),
  long_factor: Array.from({ length: 48 }, (_, i) => 1 + i),
};
const phi35 = { ...phi3, max_position_embeddings: 131072, sliding_window: 262144, rope_scaling: longrope };

/** Fields of SmolLM3-3B. */
const smollm3 = {
  architectures: ["SmolLM3ForCausalLM"],
  attention_bias: false,
  bos_token_id: null,
  eos_token_id: 128012,
  hidden_act: "silu",
  hidden_size: 2048,
  intermediate_size: 11008,
  max_position_embeddings: 65536,
  max_window_layers: 28,
  mlp_bias: false,
  model_type: "smollm3",
  no_rope_layer_interval: 4,
  no_rope_layers: Array.from({ length: 36 }, (_, i) => Number(i % 4 !== 3)),
  num_attention_heads: 16,
  num_hidden_layers: 36,
  num_key_value_heads: 4,
  pad_token_id: 128004,
  pretraining_tp: 2,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 5000000,
  sliding_window: null,
  use_sliding_window: false,
  vocab_size: 128256,
};

const published = { qwen3, mistral, phi3, "phi3 with longrope": phi35, smollm3 };
const parse = (json: unknown) => parseModelConfig(json, "config.json");
const without = (json: object, ...fields: string[]) =>
  Object.fromEntries(Object.entries(json).filter(([name]) => !fields.includes(name)));
const layers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test("Qwen3 has norms on its query and key heads, whose size is its own, and no bias", () => {
  expect(parse(qwen3)).toMatchObject({ qkNorm: true, headSize: 128, attentionBias: false, window: null });
  // 128 also when the file does not say so: transformers' default for this family alone
  expect(parse(without(qwen3, "head_dim")).headSize).toBe(128);
  expect(parse({ ...qwen3, attention_bias: true })).toMatchObject({
    attentionBias: true,
    attentionOutputBias: true,
    mlpBias: false,
  });
});

test("Mistral looks through its window in every layer; without the field transformers takes 4096, with null none", () => {
  const window = { size: 4096, layers: layers(0, 32) };
  expect(parse(mistral)).toMatchObject({ headSize: 128, attentionBias: false, window });
  expect(parse(without(mistral, "sliding_window")).window).toEqual(window);
  expect(parse({ ...mistral, sliding_window: null }).window).toBeNull();
  expect(parse({ ...mistral, head_dim: null }).headSize).toBe(128);
  expect(parse({ ...mistral, head_dim: 96 }).headSize).toBe(96);
  expect(parse(without(mistral, "num_key_value_heads")).kvHeads).toBe(8);
});

test("Phi-3 holds projections as one; its window of 2047 is shorter than its context", () => {
  expect(parse(phi3)).toMatchObject({
    fusedProjections: true,
    headSize: 96,
    contextLength: 4096,
    window: { size: 2047, layers: layers(0, 32) },
    rope: { theta: 10000, scaling: null },
  });
});

test("longrope: the context ends at the original length, and the attention factor follows from both lengths", () => {
  const { contextLength, window, rope } = parse(phi35);
  expect([contextLength, window]).toEqual([4096, null]);
  // sqrt(1 + ln(131072 / 4096) / ln 4096) = sqrt(1 + 5/12)
  expect(rope.scaling).toMatchObject({ kind: "longrope", attentionFactor: Math.sqrt(1 + 5 / 12) });
  const scaled = (fields: object) =>
    parse({ ...phi35, rope_scaling: { ...longrope, ...fields } }).rope.scaling;
  expect(scaled({ attention_factor: 1.5 })).toMatchObject({ attentionFactor: 1.5 });
  expect(scaled({ factor: 64 })).toMatchObject({ attentionFactor: Math.sqrt(1 + 6 / 12) });
  expect(scaled({ type: "su" })).toMatchObject({ kind: "longrope" });
  // without the field beside rope_scaling transformers takes 4096
  expect(parse(without(phi35, "original_max_position_embeddings")).contextLength).toBe(4096);
});

test("SmolLM3 leaves every fourth layer unrotated, by the list or the interval, and is tied", () => {
  const unrotatedLayers = [3, 7, 11, 15, 19, 23, 27, 31, 35];
  expect(parse(smollm3)).toMatchObject({ unrotatedLayers, tieWordEmbeddings: true, window: null });
  expect(parse(without(smollm3, "no_rope_layers")).unrotatedLayers).toEqual(unrotatedLayers);
  const neither = without(smollm3, "no_rope_layers", "no_rope_layer_interval", "rope_theta");
  expect(parse(neither)).toMatchObject({ unrotatedLayers, rope: { theta: 2_000_000 } });
  const windowed = { ...smollm3, use_sliding_window: true, sliding_window: 8192 };
  expect(parse(windowed).window).toEqual({ size: 8192, layers: unrotatedLayers });
});

test("Qwen2 and Qwen3 look through a window from max_window_layers on, or where layer_types says so", () => {
  const windowed = { ...qwen3, use_sliding_window: true, sliding_window: 4096, max_window_layers: 26 };
  expect(parse(windowed).window).toEqual({ size: 4096, layers: [26, 27] });
  const types = layers(0, 28).map((i) => (i === 5 ? "sliding_attention" : "full_attention"));
  expect(parse({ ...windowed, layer_types: types }).window).toEqual({ size: 4096, layers: [5] });
  expect(parse({ ...windowed, use_sliding_window: false }).window).toBeNull();
  expect(parse({ ...windowed, max_window_layers: 28 }).window).toBeNull();
});

test("a window as long as the context hides nothing; one shorter by a token does", () => {
  expect(parse({ ...mistral, sliding_window: 32768 }).window).toBeNull();
  expect(parse({ ...mistral, sliding_window: 32767 }).window).not.toBeNull();
});

test("yarn takes transformers' defaults for what the file leaves out", () => {
  const rope_scaling = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32768 };
  expect(parse({ ...qwen3, rope_scaling }).rope.scaling).toEqual({
    kind: "yarn",
    factor: 4,
    attentionFactor: 0.1 * Math.log(4) + 1,
    betaFast: 32,
    betaSlow: 1,
    originalContextLength: 32768,
  });
});

describe.each(Object.entries(published))("%s", (_, json) => {
  test("is written so that it reads as the same config, with every field that the file had", () => {
    const written = configToJson(parse(json));
    expect({ ...parse(written), json: null }).toEqual({ ...parse(json), json: null });
    expect(written).toMatchObject(json);
  });
});

const anyLayers = (count: number, type: string) => Array(count).fill(type);
const refused: [family: keyof typeof published, changes: object, message: string][] = [
  // Phi-4-mini is Phi3ForCausalLM with this field
  [
    "phi3",
    { partial_rotary_factor: 0.75 },
    "partial_rotary_factor must be 1: other values are not supported",
  ],
  [
    "phi3 with longrope",
    { rope_scaling: { ...longrope, partial_rotary_factor: 0.75 } },
    "rope_scaling.partial_rotary_factor must be 1",
  ],
  [
    "phi3",
    { rope_scaling: { type: "yarn", factor: 2 } },
    'rope_type must be "default" or "longrope" for Phi3',
  ],
  [
    "phi3 with longrope",
    { rope_scaling: { ...longrope, short_factor: [1, 2] } },
    "rope_scaling.short_factor must have head_dim / 2 = 48 numbers, got 2",
  ],
  [
    "phi3 with longrope",
    { rope_scaling: { ...longrope, long_factor: Array(48).fill(0) } },
    "rope_scaling.long_factor.0 must be a positive number, got 0",
  ],
  [
    "phi3 with longrope",
    { rope_scaling: { ...longrope, long_factor: undefined } },
    'rope_scaling.long_factor is missing: rope_type "longrope" needs it',
  ],
  [
    "phi3 with longrope",
    { rope_scaling: { ...longrope, original_max_position_embeddings: 8192 } },
    "rope_scaling.original_max_position_embeddings must be the file's original_max_position_embeddings 4096, got 8192",
  ],
  [
    "phi3 with longrope",
    { rope_scaling: { ...longrope, short_mscale: 1 } },
    "unknown field rope_scaling.short_mscale",
  ],
  [
    "qwen3",
    { rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 32768, truncate: false } },
    "rope_scaling.truncate must be true",
  ],
  [
    "qwen3",
    { rope_scaling: { type: "yarn", original_max_position_embeddings: 32768 } },
    'rope_scaling.factor is missing: rope_type "yarn" needs it',
  ],
  ["qwen3", { rope_scaling: { type: "dynamic", factor: 4 } }, "rope_scaling.type must be"],
  ["qwen3", { architectures: ["Qwen3MoeForCausalLM"] }, 'architectures must contain "Qwen3ForCausalLM"'],
  ["qwen3", { model_type: "qwen3_moe" }, 'model_type must be a supported one, got "qwen3_moe"'],
  ["qwen3", { num_experts: 128 }, "unknown field num_experts"],
  [
    "qwen3",
    { layer_types: anyLayers(28, "sliding_attention") },
    "sliding_window must be a number for layer_types with sliding_attention, got null",
  ],
  [
    "qwen3",
    { layer_types: anyLayers(28, "sliding_attention"), sliding_window: 4096 },
    "use_sliding_window must be true for layer_types with sliding_attention, got false",
  ],
  ["qwen3", { layer_types: anyLayers(28, "linear_attention") }, "layer_types.0 must be"],
  [
    "mistral",
    { layer_types: anyLayers(32, "full_attention") },
    "layer_types must agree with sliding_window 4096: MistralForCausalLM does not read it",
  ],
  [
    "mistral",
    { use_sliding_window: false },
    "use_sliding_window must agree with sliding_window 4096: MistralForCausalLM does not read it, got false",
  ],
  [
    "mistral",
    { no_rope_layers: Array(32).fill(0) },
    "no_rope_layers must leave every layer its positions: MistralForCausalLM does not read it",
  ],
  ["smollm3", { no_rope_layers: [1, 0] }, "no_rope_layers must have one entry per layer (36), got 2"],
  ["smollm3", { no_rope_layers: Array(36).fill(2) }, "no_rope_layers.0 must be 0 or 1"],
  ["smollm3", { no_rope_layer_interval: 0 }, "no_rope_layer_interval must be a positive integer, got 0"],
];
test.each(refused)("%s with %j is refused", (family, changes, message) => {
  const error = (() => {
    try {
      return parse({ ...published[family], ...changes });
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toMatchObject({
    name: "MulliganError",
    code: "model",
    message: expect.stringContaining(
      `config.json: ${message.startsWith("rope_type") ? "rope_scaling." : ""}${message}`,
    ),
  });
});

test.each(["gemma2", "mixtral", "phi4mm", "ministral", "gpt_oss", "__proto__"])(
  "%s is refused by name",
  (type) => {
    expect(() => parse({ ...qwen3, model_type: type })).toThrow(
      `model_type must be a supported one, got "${type}"`,
    );
  },
);
