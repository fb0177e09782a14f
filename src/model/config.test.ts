import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { configToJson, parseModelConfig } from "./config.ts";

const llama3Rope = {
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
  rope_type: "llama3",
};

/** Llama 3.2 1B Instruct's published fields. */
const llama = {
  architectures: ["LlamaForCausalLM"],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 128000,
  eos_token_id: [128001, 128008, 128009],
  head_dim: 64,
  hidden_act: "silu",
  hidden_size: 2048,
  initializer_range: 0.02,
  intermediate_size: 8192,
  max_position_embeddings: 131072,
  mlp_bias: false,
  model_type: "llama",
  num_attention_heads: 32,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: llama3Rope,
  rope_theta: 500000,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
  transformers_version: "4.45.0.dev0",
  use_cache: true,
  vocab_size: 128256,
};

/** Qwen2.5 1.5B Instruct's published fields. */
const qwen = {
  architectures: ["Qwen2ForCausalLM"],
  attention_dropout: 0,
  bos_token_id: 151643,
  eos_token_id: 151645,
  hidden_act: "silu",
  hidden_size: 1536,
  initializer_range: 0.02,
  intermediate_size: 8960,
  max_position_embeddings: 32768,
  max_window_layers: 21,
  model_type: "qwen2",
  num_attention_heads: 12,
  num_hidden_layers: 28,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  sliding_window: 32768,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
  transformers_version: "4.43.1",
  use_cache: true,
  use_sliding_window: false,
  vocab_size: 151936,
};

const parse = (json: unknown) => parseModelConfig(json, "config.json");
const numbers = (json: unknown) => ({ ...parse(json), json: undefined });

describe("parseModelConfig", () => {
  test("reads Llama 3.2", () => {
    expect(parse(llama)).toEqual({
      family: "llama",
      vocabSize: 128256,
      hiddenSize: 2048,
      intermediateSize: 8192,
      layers: 16,
      heads: 32,
      kvHeads: 8,
      headSize: 64,
      rmsNormEps: 1e-5,
      contextLength: 131072,
      tieWordEmbeddings: true,
      attentionBias: false,
      attentionOutputBias: false,
      mlpBias: false,
      qkNorm: false,
      fusedProjections: false,
      unrotatedLayers: [],
      window: null,
      rope: {
        theta: 500000,
        scaling: {
          kind: "llama3",
          factor: 32,
          lowFreqFactor: 1,
          highFreqFactor: 4,
          originalContextLength: 8192,
        },
      },
      eosTokenIds: [128001, 128008, 128009],
      bosTokenId: 128000,
      initializerRange: 0.02,
      json: llama,
    });
  });

  test("reads Qwen2.5, whose biases on q, k and v are not in the file", () => {
    const config = parse(qwen);
    expect(config).toMatchObject({
      family: "qwen2",
      headSize: 128,
      attentionBias: true,
      attentionOutputBias: false,
      mlpBias: false,
      rope: { theta: 1000000, scaling: null },
      eosTokenIds: [151645],
    });
  });

  test("reads the transformers 5 form of the same model as the same numbers", () => {
    const { rope_theta, rope_scaling, torch_dtype, ...rest } = llama;
    const rope_parameters = { ...rope_scaling, rope_theta };
    const v5 = { ...rest, dtype: torch_dtype, rope_parameters, pad_token_id: null };
    expect(numbers(v5)).toEqual(numbers(llama));
    const { rope_theta: theta, ...others } = qwen;
    const layer_types = Array(28).fill("full_attention");
    const qwen5 = {
      ...others,
      rope_parameters: { rope_type: "default", rope_theta: theta },
      layer_types,
      sliding_window: null,
    };
    expect(numbers(qwen5)).toEqual(numbers(qwen));
  });

  test("takes transformers' defaults for what a file may leave out", () => {
    const required = {
      model_type: "llama",
      vocab_size: 32000,
      hidden_size: 64,
      intermediate_size: 128,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      rms_norm_eps: 1e-6,
      max_position_embeddings: 2048,
    };
    expect(parse(required)).toMatchObject({
      kvHeads: 4,
      headSize: 16,
      tieWordEmbeddings: false,
      attentionBias: false,
      rope: { theta: 10000, scaling: null },
      eosTokenIds: [],
      bosTokenId: null,
    });
    for (const name of Object.keys(required).slice(1)) {
      expect(() => parse({ ...required, [name]: undefined })).toThrow(`config.json: ${name} is missing`);
    }
  });

  test("passes the bookkeeping that real files carry", () => {
    const smolLm2 = {
      _name_or_path: "HuggingFaceTB/SmolLM2-360M",
      is_llama_config: true,
      rope_interleaved: false,
      rope_scaling: null,
      "transformers.js_config": { kv_cache_dtype: { fp16: "float16" } },
      unsloth_fixed: true,
    };
    expect(parse({ ...llama, ...smolLm2 }).rope.scaling).toBeNull();
    expect(parse({ ...llama, attention_bias: true })).toMatchObject({
      attentionBias: true,
      attentionOutputBias: true,
    });
    expect(() =>
      parse({ ...qwen, use_mrope: false, auto_map: {}, pad_token_id: -1, num_experts: null }),
    ).not.toThrow();
    expect(() => parse({ ...llama, rope_scaling: { type: "default" } })).not.toThrow();
  });

  const wrong: [object, string][] = [
    [{ model_type: "gpt2" }, 'model_type must be a supported one, got "gpt2"'],
    [{ model_type: undefined }, "model_type must be a supported one, got nothing"],
    [{ architectures: ["LlamaForSequenceClassification"] }, 'architectures must contain "LlamaForCausalLM"'],
    [{ architectures: ["Qwen2ForCausalLM"] }, 'architectures must contain "LlamaForCausalLM"'],
    [
      { hidden_act: "gelu" },
      'hidden_act must be "silu" or "swish": other values are not supported, got "gelu"',
    ],
    [{ rope_scaling: { type: "linear", factor: 2 } }, "rope_scaling.type must be"],
    [
      { rope_scaling: { ...llama3Rope, rope_type: "longrope" } },
      'rope_scaling.rope_type must be "default" or "llama3" or "yarn" for LlamaForCausalLM, got "longrope"',
    ],
    [{ rope_scaling: { ...llama3Rope, rope_type: "dynamic" } }, "rope_scaling.rope_type must be"],
    [
      { rope_scaling: { ...llama3Rope, beta_fast: 32 } },
      'unknown field rope_scaling.beta_fast: rope_type "llama3" does not read it',
    ],
    [{ rope_scaling: { ...llama3Rope, mscale: 1 } }, "unknown field rope_scaling.mscale"],
    [{ rope_scaling: { ...llama3Rope, factor: undefined } }, "rope_scaling.factor is missing"],
    [{ rope_scaling: { ...llama3Rope, high_freq_factor: 1 } }, "rope_scaling.high_freq_factor must be above"],
    [{ rope_theta: "500000" }, 'rope_theta must be a positive number, got "500000"'],
    [
      { partial_rotary_factor: 0.5 },
      "partial_rotary_factor must be 1: other values are not supported, got 0.5",
    ],
    [
      { quantization_config: { bits: 4 } },
      'quantization_config must be absent: not supported, got {"bits":4}',
    ],
    [{ layer_types: ["full_attention"] }, "layer_types must have one entry per layer (16), got 1"],
    [{ num_local_experts: 8 }, "unknown field num_local_experts"],
    [{ vocab_size: "128256" }, 'vocab_size must be a positive integer, got "128256"'],
    [{ num_hidden_layers: 0 }, "num_hidden_layers must be a positive integer, got 0"],
    [{ hidden_size: 2048.5 }, "hidden_size must be a positive integer, got 2048.5"],
    [{ rms_norm_eps: -1 }, "rms_norm_eps must be a positive number, got -1"],
    [{ tie_word_embeddings: "yes" }, 'tie_word_embeddings must be true or false, got "yes"'],
    [{ eos_token_id: ["</s>"] }, "eos_token_id"],
    [{ num_key_value_heads: 5 }, "num_key_value_heads must divide num_attention_heads 32, got 5"],
    [{ num_attention_heads: 30, head_dim: null }, "num_attention_heads must divide hidden_size 2048, got 30"],
    [{ head_dim: 63 }, "head_dim must be even for rotary positions, got 63"],
  ];
  test.each(wrong)("refuses %j", (changes, message) => {
    const error = (() => {
      try {
        return parse({ ...llama, ...changes });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({
      name: "MulliganError",
      code: "model",
      message: expect.stringContaining(`config.json: ${message}`),
    });
  });

  test("hints at the supported families and at the nearest field", () => {
    const hint = (changes: object) => {
      try {
        parse({ ...llama, ...changes });
      } catch (error) {
        return (error as { hint?: string }).hint;
      }
    };
    expect(hint({ model_type: "mixtral" })).toContain(
      "llama (LlamaForCausalLM), qwen2 (Qwen2ForCausalLM), qwen3",
    );
    expect(hint({ num_hiden_layers: 2 })).toBe("did you mean num_hidden_layers?");
  });

  test.each([null, [], "text", 3])("refuses %j in place of an object", (json) => {
    expect(() => parse(json)).toThrow("config.json: must be a JSON object");
  });
});

describe("configToJson", () => {
  test.each([
    ["llama", llama],
    ["qwen2", qwen],
    [
      "llama, transformers 5",
      {
        ...llama,
        rope_theta: undefined,
        rope_scaling: null,
        rope_parameters: { ...llama3Rope, rope_theta: 2 },
      },
    ],
  ])("parses back to the same config: %s", (_, json) => {
    expect(numbers(configToJson(parse(json)))).toEqual(numbers(json));
  });

  test("keeps a published file's fields and adds only what it left implicit", () => {
    expect(configToJson(parse(llama))).toEqual(llama);
    expect(configToJson(parse(qwen))).toEqual({
      ...qwen,
      head_dim: 128,
      num_key_value_heads: 2,
      rope_scaling: null,
    });
  });

  test("writes the config's numbers over those of the file it came from", () => {
    const changed = configToJson({ ...parse(llama), layers: 3, eosTokenIds: [5] });
    expect(changed).toMatchObject({ num_hidden_layers: 3, eos_token_id: 5 });
  });
});

const golden = new URL("../../../shared/golden/", import.meta.url);
describe.skipIf(!existsSync(golden))("golden models", () => {
  test.each(["llama31-rope-untied", "qwen2-tied"])("%s: both forms of config.json are one model", (name) => {
    const read = (file: string) =>
      numbers(JSON.parse(readFileSync(new URL(`${name}/${file}`, golden), "utf8")));
    expect(read("config.v5.json")).toEqual(read("config.json"));
  });
});
