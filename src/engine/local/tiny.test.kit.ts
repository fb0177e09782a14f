/** A tiny random decoder for tests: grouped heads and biases included, so that nothing is left out by symmetry. */
import { parseModelConfig } from "../../model/config.ts";
import { initParameters, parameterShapes } from "../../model/parameters.ts";
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

export function tinyWeights(seed = 1): Weights {
  const config = parseModelConfig(tinyConfig, "tiny");
  return { config, parameters: parameterShapes(config), flat: initParameters(config, seed) };
}
