/**
 * A decoder's dimensions, read from a Hugging Face config.json: the Llama 3 and Qwen2/2.5 families, as transformers 4
 * and 5 write them. A field that could change what the model computes is understood or refused, never ignored.
 */
import { MulliganError } from "../core/errors.ts";
import { type PublishedConfig, parsePublishedConfig, show, type Wrong } from "./published-config.ts";

export interface RopeScaling {
  kind: "llama3";
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalContextLength: number;
}

/** An adapter's shape (lora/adapter.ts), in PEFT's terms. */
export interface LoraConfig {
  /** Rank: columns of B, rows of A. */
  r: number;
  /** s = alpha / r, or with useRslora alpha / √r (Kalajdzievski 2023, arXiv 2312.03732). */
  alpha: number;
  useRslora: boolean;
  /** Ends of module names ("q_proj"), or "all-linear": every projection, neither embedding nor head. */
  targetModules: readonly string[] | "all-linear";
}

export interface ModelConfig {
  family: "llama" | "qwen2";
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  /** Divides heads; each key/value head serves heads / kvHeads query heads. */
  kvHeads: number;
  /** Even; hiddenSize / heads unless the file says otherwise. */
  headSize: number;
  rmsNormEps: number;
  /** Most positions (max_position_embeddings). */
  contextLength: number;
  /** The embedding is also the head. */
  tieWordEmbeddings: boolean;
  /** Bias on the q, k and v projections. */
  attentionBias: boolean;
  /** Bias on the o projection. */
  attentionOutputBias: boolean;
  mlpBias: boolean;
  rope: { theta: number; scaling: RopeScaling | null };
  eosTokenIds: number[];
  bosTokenId: number | null;
  /** Standard deviation of fresh matrices. */
  initializerRange: number;
  /** Adapters beside the weights; never in the file. */
  lora?: LoraConfig;
  /** The file as it was, so that fields which mean nothing here survive a save. */
  json: Readonly<Record<string, unknown>>;
}

const architectures = { llama: "LlamaForCausalLM", qwen2: "Qwen2ForCausalLM" } as const;
const supported = "supported: llama (LlamaForCausalLM), qwen2 (Qwen2ForCausalLM)";

/** What transformers takes when the file has no rope_theta. */
const DEFAULT_THETA = 10_000;

/**
 * Reads a parsed config.json; `where` names it in errors. Missing optional fields take transformers' defaults.
 * Throws `MulliganError("model")` that names the field and its value.
 */
export function parseModelConfig(json: unknown, where: string): ModelConfig {
  const wrong: Wrong = (rule, hint) =>
    new MulliganError("model", `${where}: ${rule}`, hint === undefined ? {} : { hint });
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrong("must be a JSON object");
  const record = json as Record<string, unknown>;
  const family = familyOf(record, wrong);
  const file = parsePublishedConfig(record, wrong);

  const heads = file.num_attention_heads;
  const kvHeads = file.num_key_value_heads ?? heads;
  const headSize = file.head_dim ?? file.hidden_size / heads;
  if (!Number.isInteger(headSize)) {
    throw wrong(`num_attention_heads must divide hidden_size ${file.hidden_size}, got ${heads}`);
  }
  if (headSize % 2 !== 0) throw wrong(`head_dim must be even for rotary positions, got ${headSize}`);
  if (heads % kvHeads !== 0) {
    throw wrong(`num_key_value_heads must divide num_attention_heads ${heads}, got ${kvHeads}`);
  }
  checkWindow(file, wrong);
  const isLlama = family === "llama";
  return {
    family,
    vocabSize: file.vocab_size,
    hiddenSize: file.hidden_size,
    intermediateSize: file.intermediate_size,
    layers: file.num_hidden_layers,
    heads,
    kvHeads,
    headSize,
    rmsNormEps: file.rms_norm_eps,
    contextLength: file.max_position_embeddings,
    tieWordEmbeddings: file.tie_word_embeddings ?? false,
    // Qwen2 has its biases fixed in code: transformers reads neither field for it.
    attentionBias: isLlama ? (file.attention_bias ?? false) : true,
    attentionOutputBias: isLlama && (file.attention_bias ?? false),
    mlpBias: isLlama && (file.mlp_bias ?? false),
    rope: ropeOf(file, wrong),
    eosTokenIds: [file.eos_token_id ?? []].flat(),
    bosTokenId: file.bos_token_id ?? null,
    initializerRange: file.initializer_range ?? 0.02,
    json: record,
  };
}

/** A config.json that transformers 4 and 5, vLLM and llama.cpp read: the fields of `config` over those of its file. */
export function configToJson(config: ModelConfig): Record<string, unknown> {
  const { rope_parameters: _, ...kept } = config.json;
  const { theta, scaling } = config.rope;
  const [firstEos = null, ...moreEos] = config.eosTokenIds;
  return {
    ...kept,
    architectures: [architectures[config.family]],
    model_type: config.family,
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headSize,
    hidden_act: "silu",
    rms_norm_eps: config.rmsNormEps,
    max_position_embeddings: config.contextLength,
    tie_word_embeddings: config.tieWordEmbeddings,
    ...(config.family === "llama" && { attention_bias: config.attentionBias, mlp_bias: config.mlpBias }),
    rope_theta: theta,
    rope_scaling: scaling && {
      rope_type: scaling.kind,
      factor: scaling.factor,
      low_freq_factor: scaling.lowFreqFactor,
      high_freq_factor: scaling.highFreqFactor,
      original_max_position_embeddings: scaling.originalContextLength,
    },
    eos_token_id: moreEos.length > 0 ? config.eosTokenIds : firstEos,
    bos_token_id: config.bosTokenId,
    initializer_range: config.initializerRange,
  };
}

function familyOf(record: Record<string, unknown>, wrong: Wrong): ModelConfig["family"] {
  const type = record.model_type;
  if (type !== "llama" && type !== "qwen2") {
    throw wrong(`model_type must be a supported one, got ${show(type)}`, supported);
  }
  const names = record.architectures ?? [architectures[type]];
  if (!Array.isArray(names) || !names.includes(architectures[type])) {
    throw wrong(`architectures must contain "${architectures[type]}", got ${show(names)}`, supported);
  }
  return type;
}

function ropeOf(file: PublishedConfig, wrong: Wrong): ModelConfig["rope"] {
  // transformers 5 keeps theta inside rope_parameters; when both forms are there it takes rope_scaling.
  const rope = file.rope_scaling ?? file.rope_parameters ?? {};
  const name = file.rope_scaling ? "rope_scaling" : "rope_parameters";
  const theta = rope.rope_theta ?? file.rope_theta ?? DEFAULT_THETA;
  if ((rope.rope_type ?? rope.type ?? "default") === "default") return { theta, scaling: null };
  const need = (
    field: "factor" | "low_freq_factor" | "high_freq_factor" | "original_max_position_embeddings",
  ) => {
    const value = rope[field];
    if (value === undefined) throw wrong(`${name}.${field} is missing: rope_type "llama3" needs it`);
    return value;
  };
  const scaling: RopeScaling = {
    kind: "llama3",
    factor: need("factor"),
    lowFreqFactor: need("low_freq_factor"),
    highFreqFactor: need("high_freq_factor"),
    originalContextLength: need("original_max_position_embeddings"),
  };
  if (scaling.highFreqFactor <= scaling.lowFreqFactor) {
    const got = `got ${scaling.highFreqFactor}`;
    throw wrong(`${name}.high_freq_factor must be above low_freq_factor ${scaling.lowFreqFactor}, ${got}`);
  }
  return { theta, scaling };
}

/** A window as long as the context never hides anything; a shorter one that is in use is not supported. */
function checkWindow(file: PublishedConfig, wrong: Wrong): void {
  const { sliding_window: window, num_hidden_layers: layers, layer_types: types } = file;
  if (types && types.length !== layers) {
    throw wrong(`layer_types must have one entry per layer (${layers}), got ${types.length}`);
  }
  const isUsed = types
    ? types.includes("sliding_attention")
    : file.use_sliding_window === true && (file.max_window_layers ?? 0) < layers;
  if (isUsed && (window ?? 0) < file.max_position_embeddings) {
    const field = types ? "layer_types" : "use_sliding_window";
    throw wrong(
      `${field}: attention over a window shorter than the context is not supported, got ${show(window)}`,
    );
  }
}
