/**
 * A decoder's dimensions, read from a Hugging Face config.json of one of the families (families.ts), as transformers 4
 * and 5 write them. A field that could change what the model computes is understood or refused, never ignored.
 */
import { MulliganError } from "../core/errors.ts";
import type { Quantization } from "../core/quantization.ts";
import { type Family, type FamilyName, families, supportedFamilies } from "./families.ts";
import { unrotatedOf, type Window, windowOf } from "./layer-kinds.ts";
import { parsePublishedConfig, show, type Wrong } from "./published-config.ts";
import { parseRope, type Rope, scalingToJson } from "./rope-scaling.ts";

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
  family: FamilyName;
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
  /** Most positions: max_position_embeddings, or with longrope at most the original length (docs/decisions/0011). */
  contextLength: number;
  /** The embedding is also the head. */
  tieWordEmbeddings: boolean;
  /** Bias on the q, k and v projections. */
  attentionBias: boolean;
  /** Bias on the o projection. */
  attentionOutputBias: boolean;
  mlpBias: boolean;
  /** RMSNorm over every query and key head before rotation. */
  qkNorm: boolean;
  /** The files hold q, k and v as one tensor, and gate and up as another. */
  fusedProjections: boolean;
  rope: Rope;
  /** Layers whose queries and keys are not rotated. */
  unrotatedLayers: readonly number[];
  /** Null when no layer's window hides anything. */
  window: Window | null;
  eosTokenIds: number[];
  bosTokenId: number | null;
  /** Standard deviation of fresh matrices. */
  initializerRange: number;
  /** Adapters beside the weights; never in the file. */
  lora?: LoraConfig;
  /** Matrices as integers; never in the file. */
  quantization?: Quantization;
  /** The file as it was, so that fields which mean nothing here survive a save. */
  json: Readonly<Record<string, unknown>>;
}

/**
 * Reads a parsed config.json; `where` names it in errors. Missing optional fields take transformers' defaults.
 * Throws `MulliganError("model")` that names the field and its value.
 */
export function parseModelConfig(json: unknown, where: string): ModelConfig {
  const wrong: Wrong = (rule, hint) =>
    new MulliganError("model", `${where}: ${rule}`, hint === undefined ? {} : { hint });
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrong("must be a JSON object");
  const record = json as Record<string, unknown>;
  const name = familyOf(record, wrong);
  const family: Family = families[name];
  const file = parsePublishedConfig({ ...family.defaults, ...record }, wrong);

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
  const rope = parseRope(file, headSize, family, wrong);
  const original = rope.scaling?.kind === "longrope" ? rope.scaling.originalContextLength : Infinity;
  const contextLength = Math.min(file.max_position_embeddings, original);
  const unrotatedLayers = unrotatedOf(file, family, wrong);
  // Where the bias is fixed in code, transformers does not read the field.
  const hasBias = family.attentionBias === "as the file says" && (file.attention_bias ?? false);
  return {
    family: name,
    vocabSize: file.vocab_size,
    hiddenSize: file.hidden_size,
    intermediateSize: file.intermediate_size,
    layers: file.num_hidden_layers,
    heads,
    kvHeads,
    headSize,
    rmsNormEps: file.rms_norm_eps,
    contextLength,
    tieWordEmbeddings: file.tie_word_embeddings ?? false,
    attentionBias: hasBias || family.attentionBias === "without output",
    attentionOutputBias: hasBias,
    mlpBias: family.readsMlpBias && (file.mlp_bias ?? false),
    qkNorm: family.qkNorm,
    fusedProjections: family.fusedProjections,
    rope,
    unrotatedLayers,
    window: windowOf(file, family, { contextLength, unrotatedLayers }, wrong),
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
  const family: Family = families[config.family];
  const [firstEos = null, ...moreEos] = config.eosTokenIds;
  return {
    ...kept,
    architectures: [family.architecture],
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
    max_position_embeddings: scaling?.kind === "longrope" ? scaling.maxPositions : config.contextLength,
    tie_word_embeddings: config.tieWordEmbeddings,
    ...(family.attentionBias === "as the file says" && { attention_bias: config.attentionBias }),
    ...(family.readsMlpBias && { mlp_bias: config.mlpBias }),
    rope_theta: theta,
    rope_scaling: scalingToJson(scaling),
    eos_token_id: moreEos.length > 0 ? config.eosTokenIds : firstEos,
    bos_token_id: config.bosTokenId,
    initializer_range: config.initializerRange,
  };
}

function familyOf(record: Record<string, unknown>, wrong: Wrong): FamilyName {
  const type = record.model_type;
  const hint = `supported: ${supportedFamilies}`;
  if (typeof type !== "string" || !Object.hasOwn(families, type)) {
    throw wrong(`model_type must be a supported one, got ${show(type)}`, hint);
  }
  const name = type as FamilyName;
  const { architecture } = families[name];
  const names = record.architectures ?? [architecture];
  if (!Array.isArray(names) || !names.includes(architecture)) {
    throw wrong(`architectures must contain "${architecture}", got ${show(names)}`, hint);
  }
  return name;
}
