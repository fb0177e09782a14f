/**
 * Llama-style decoders (Llama 3, Qwen2/2.5) as graphs: RMSNorm → attention → RMSNorm → SwiGLU, driven by config.json.
 * One function builds the layers for training and for sampling with a cache, so that the two cannot drift apart.
 */
import {
  add,
  attention,
  type Graph,
  gather,
  linear,
  mul,
  type Rotation,
  reshape,
  rmsNorm,
  rope,
  type Shape,
  silu,
  transpose,
  type Value,
} from "../graph/index.ts";
import { type Cache, cachedAttention } from "./cached-attention.ts";
import type { ModelConfig } from "./config.ts";
import { parameterShapes } from "./parameters.ts";

export interface DecoderInputs {
  /** int64 [B, T] */
  tokens: Value;
  rotation: Rotation;
  /** Added to attention scores: 0 = may see. Broadcasts to [B, H, T, keys]. */
  mask: Value;
  /** By Hugging Face name. */
  parameters: ReadonlyMap<string, Value>;
}

/** Declares the inputs that every decoder graph has; rotation tables are [positions, headSize/2]. */
export function decoderInputs(graph: Graph, config: ModelConfig, maskShape: Shape): DecoderInputs {
  const angles = ["P", config.headSize / 2];
  return {
    tokens: graph.input("tokens", "int64", ["B", "T"]),
    rotation: {
      positions: graph.input("positions", "int64", ["B", "T"]),
      cos: graph.input("rope_cos", graph.float, angles),
      sin: graph.input("rope_sin", graph.float, angles),
    },
    mask: graph.input("mask", graph.float, maskShape),
    parameters: new Map(
      parameterShapes(config).map(({ name, shape }) => [name, graph.input(name, graph.float, shape)]),
    ),
  };
}

export interface DecoderOutput {
  /** After the final norm. // [B·T, C] */
  hidden: Value;
  /** Rotated keys and values of the new tokens, a pair per layer. // [B, K, T, D] */
  caches: Cache[];
}

/**
 * Runs the layers. With `past` (one pair per layer, [B, K, S, D]) queries also see those keys, and the mask's last
 * axis is S + T. Source: Hugging Face modeling_llama.py and modeling_qwen2.py.
 */
export function decoderHidden(
  graph: Graph,
  config: ModelConfig,
  inputs: DecoderInputs,
  past?: readonly Cache[],
): DecoderOutput {
  const parameter = (name: string) => inputs.parameters.get(name)!;
  const rows = ["B*T", config.hiddenSize];
  let x = reshape(graph, gather(graph, parameter("model.embed_tokens.weight"), inputs.tokens), rows);
  const caches: Cache[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const weight = (name: string) => parameter(`model.layers.${layer}.${name}.weight`);
    const project = (name: string, input: Value) =>
      linear(graph, input, weight(name), inputs.parameters.get(`model.layers.${layer}.${name}.bias`));
    const norm = (name: string) => rmsNorm(graph, x, weight(name), config.rmsNormEps);

    const normed = norm("input_layernorm");
    const q = rotatedHeads(graph, project("self_attn.q_proj", normed), config.heads, config, inputs.rotation);
    const k = rotatedHeads(
      graph,
      project("self_attn.k_proj", normed),
      config.kvHeads,
      config,
      inputs.rotation,
    );
    const v = splitHeads(
      graph,
      threeAxes(graph, project("self_attn.v_proj", normed)),
      config.kvHeads,
      config,
    );
    caches.push({ keys: k, values: v });
    const before = past?.[layer];
    const mixed = before
      ? cachedAttention(graph, q, { keys: k, values: v }, before, inputs.mask)
      : attention(graph, q, k, v, inputs.mask);
    const joined = reshape(graph, transpose(graph, mixed, [0, 2, 1, 3]), [
      "B*T",
      config.heads * config.headSize,
    ]);
    x = add(graph, x, project("self_attn.o_proj", joined));

    const fed = norm("post_attention_layernorm");
    const gated = mul(graph, silu(graph, project("mlp.gate_proj", fed)), project("mlp.up_proj", fed));
    x = add(graph, x, project("mlp.down_proj", gated));
  }
  return { hidden: rmsNorm(graph, x, parameter("model.norm.weight"), config.rmsNormEps), caches };
}

/** Scores of every vocabulary entry. // [N, C] → [N, V] */
export function lmHead(graph: Graph, config: ModelConfig, inputs: DecoderInputs, hidden: Value): Value {
  const name = config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return linear(graph, hidden, inputs.parameters.get(name)!);
}

function threeAxes(graph: Graph, x: Value): Value {
  return reshape(graph, x, ["B", "T", x.shape[1]!]);
}

/** // [B, T, heads·D] → [B, heads, T, D] */
function splitHeads(graph: Graph, x: Value, heads: number, config: ModelConfig): Value {
  return transpose(graph, reshape(graph, x, ["B", "T", heads, config.headSize]), [0, 2, 1, 3]);
}

function rotatedHeads(graph: Graph, x: Value, heads: number, config: ModelConfig, rotation: Rotation): Value {
  return splitHeads(graph, rope(graph, threeAxes(graph, x), heads, rotation), heads, config);
}
