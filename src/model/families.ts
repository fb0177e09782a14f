/**
 * The families of decoders that are computed here, and what sets them apart where config.json does not say it: what
 * transformers takes for fields that a file leaves out, and what its modelling code fixes. Data only.
 */
import type { PublishedConfig, RopeType } from "./published-config.ts";

export interface Family {
  architecture: string;
  /** What transformers takes for a field that is absent; null is not absent. */
  defaults: Partial<PublishedConfig>;
  /** Whether q, k and v (and o, but for Qwen2) have a bias: as attention_bias says, or fixed. */
  attentionBias: "as the file says" | "without output" | "none";
  /** Does mlp_bias count? */
  readsMlpBias: boolean;
  /** RMSNorm over every query and key head before rotation. */
  qkNorm: boolean;
  /** The files hold q, k and v as one tensor, and gate and up as another. */
  fusedProjections: boolean;
  /** Layers that look through a window when sliding_window is a number, unless layer_types says which. */
  windowed: "none" | "all" | "from max_window_layers" | "unrotated";
  ropeTypes: readonly RopeType[];
}

const llama: Family = {
  architecture: "LlamaForCausalLM",
  defaults: {},
  attentionBias: "as the file says",
  readsMlpBias: true,
  qkNorm: false,
  fusedProjections: false,
  windowed: "none",
  ropeTypes: ["default", "llama3", "yarn"],
};

const qwen2: Family = {
  ...llama,
  architecture: "Qwen2ForCausalLM",
  defaults: { num_key_value_heads: 32, sliding_window: 4096, max_window_layers: 28 },
  attentionBias: "without output",
  readsMlpBias: false,
  windowed: "from max_window_layers",
};

/** Source: configuration_*.py and modeling_*.py of transformers 5.18. */
export const families = {
  llama,
  qwen2,
  qwen3: {
    ...qwen2,
    architecture: "Qwen3ForCausalLM",
    defaults: { ...qwen2.defaults, head_dim: 128 },
    attentionBias: "as the file says",
    qkNorm: true,
  },
  mistral: {
    ...llama,
    architecture: "MistralForCausalLM",
    defaults: { num_key_value_heads: 8, sliding_window: 4096 },
    attentionBias: "none",
    readsMlpBias: false,
    windowed: "all",
  },
  phi3: {
    ...llama,
    architecture: "Phi3ForCausalLM",
    defaults: { original_max_position_embeddings: 4096 },
    attentionBias: "none",
    readsMlpBias: false,
    fusedProjections: true,
    windowed: "all",
    ropeTypes: ["default", "longrope"],
  },
  smollm3: {
    ...llama,
    architecture: "SmolLM3ForCausalLM",
    defaults: {
      num_key_value_heads: 4,
      tie_word_embeddings: true,
      rope_theta: 2_000_000,
      no_rope_layer_interval: 4,
    },
    windowed: "unrotated",
  },
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof families;

/** For messages. */
export const supportedFamilies = Object.entries(families)
  .map(([name, { architecture }]) => `${name} (${architecture})`)
  .join(", ");
