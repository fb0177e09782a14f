/** Tiny random decoders for tests: grouped heads and biases included, so that nothing is left out by symmetry. */
import type { Datum } from "../../core/datum.ts";
import { createRng } from "../../core/rng.ts";
import { type LoraConfig, parseModelConfig } from "../../model/config.ts";
import { withAdapter } from "../../model/folder.ts";
import { initAdapter } from "../../model/lora/adapter.ts";
import { initParameters, parameterShapes, parameterView } from "../../model/parameters.ts";
import type { Engine } from "../contract.ts";
import type { Weights } from "./weights.ts";

const tinyConfig = {
  architectures: ["Qwen2ForCausalLM"],
  model_type: "qwen2",
  vocab_size: 29,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: "silu",
  tie_word_embeddings: true,
  // Large enough that the distribution is far from uniform.
  initializer_range: 0.4,
  eos_token_id: 1,
};

/** The same size, and all that Qwen2 lacks: every bias, an untied head, rope scaling, a head size of its own. */
export const llamaFields = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  attention_bias: true,
  mlp_bias: true,
  tie_word_embeddings: false,
  head_dim: 6,
  rope_scaling: {
    rope_type: "llama3",
    factor: 4,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 32,
  },
};

/** The same size in families that differ from both; windows shorter than the texts of the tests. */
export const familyFields = {
  qwen3: {
    architectures: ["Qwen3ForCausalLM"],
    model_type: "qwen3",
    head_dim: 6,
    use_sliding_window: true,
    sliding_window: 7,
    max_window_layers: 1,
  },
  mistral: {
    architectures: ["MistralForCausalLM"],
    model_type: "mistral",
    tie_word_embeddings: false,
    sliding_window: 5,
  },
  phi3: {
    architectures: ["Phi3ForCausalLM"],
    model_type: "phi3",
    original_max_position_embeddings: 48,
    rope_scaling: { type: "longrope", short_factor: [1, 1.5], long_factor: [2, 4] },
  },
  smollm3: {
    architectures: ["SmolLM3ForCausalLM"],
    model_type: "smollm3",
    no_rope_layers: [0, 1],
    use_sliding_window: true,
    sliding_window: 6,
  },
};

export function tinyWeights(seed = 1, fields: Readonly<Record<string, unknown>> = {}): Weights {
  const config = parseModelConfig({ ...tinyConfig, ...fields }, "tiny");
  return { config, parameters: parameterShapes(config), flat: initParameters(config, seed) };
}

/** As tinyWeights, with norms off 1 and biases off 0, where derivatives could be right by accident. */
export function roughWeights(seed = 1, fields: Readonly<Record<string, unknown>> = {}): Weights {
  const weights = tinyWeights(seed, fields);
  const { normal } = createRng(seed).fork("rough");
  for (const { offset, size, decay } of weights.parameters) {
    for (let i = offset; !decay && i < offset + size; i++) weights.flat[i]! += 0.2 * normal();
  }
  return weights;
}

/** Cross-entropy datums over random tokens, every token to be learnt: few enough to be learnt by heart. */
export function tinyTexts(lengths: readonly number[], seed = 1) {
  return lengths.map((length, i) => {
    const rng = createRng(seed).fork(i);
    const ids = Int32Array.from({ length: length + 1 }, () => rng.int(0, tinyConfig.vocab_size - 1));
    return { tokens: ids.slice(0, -1), targets: ids.slice(1), weights: new Float32Array(length).fill(1) };
  });
}

export const tinyAdam = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0.01,
  gradClipNorm: 1,
};

/** What engines give after a step on the same data, each its own: for comparing them byte by byte. */
export async function afterStep(
  engines: readonly Engine[],
  data: readonly Datum[],
  [requests, params]: Parameters<Engine["sample"]>,
) {
  for (const engine of engines) {
    await engine.forwardBackward(data, { name: "cross_entropy" });
    await engine.optimStep(tinyAdam);
  }
  return Promise.all(
    engines.map(async (engine) => ({
      samples: await engine.sample(requests, params),
      logprobs: await engine.forward(data),
    })),
  );
}

/** The model with an adapter whose B is not 0 any more. */
export function roughAdapter(weights: Weights, lora: LoraConfig, scale: number): Weights {
  const adapter = initAdapter(weights.config, lora, { seed: 7 });
  const { normal } = createRng(8);
  for (const parameter of adapter.parameters) {
    const values = parameterView(adapter.flat, parameter);
    for (let i = 0; i < values.length; i++) values[i]! += scale * normal();
  }
  return withAdapter(weights, adapter);
}
