/**
 * Llama-style decoders (families.ts) as graphs: RMSNorm → attention → RMSNorm → SwiGLU, driven by config.json.
 * One function builds the layers for training and for sampling; who sees whom is the caller's attention.
 */
import {
  add,
  checkpoint,
  concat,
  type Graph,
  mul,
  multiplyDims,
  type QuantizedMatrix,
  type Rotation,
  reshape,
  rmsNorm,
  rope,
  silu,
  split,
  type Value,
} from "../graph/index.ts";
import type { ModelConfig } from "./config.ts";
import { loraParameters } from "./lora/adapter.ts";
import { adaptersOf } from "./lora/layer.ts";
import { type Matrix, product, rowsOf } from "./matrix.ts";
import { parameterShapes } from "./parameters.ts";
import { quantizedInputs } from "./quantized/tensors.ts";
import { fuseTensors, type Tensor } from "./tensors.ts";

export interface DecoderInputs {
  /** int64 [N] */
  tokens: Value;
  rotation: Rotation;
  /** For layers that turn nothing. */
  unrotated?: Rotation;
  /** By Hugging Face name, fused ones by the name of the whole (tensors.ts); adapters by PEFT's. */
  tensors: ReadonlyMap<string, Value>;
  /** Matrices that are not among `tensors` (quantized/). */
  quantized: ReadonlyMap<string, QuantizedMatrix>;
  /** Those of them that learn: adapters where there are any, else all. */
  trained: ReadonlyMap<string, Value>;
}

/**
 * A layer's attention: query, key and value heads of every token, rotated, to the mixed values; undefined when nothing
 * after these heads is needed. // [N·(H+2K), 1, D] → [N, H·D]
 */
export type Attend = (layer: number, heads: Value) => Value | undefined;

/** Heads of a token in a row: H queries, K keys, K values. */
export function headsPerToken({ heads, kvHeads }: ModelConfig): number {
  return heads + 2 * kvHeads;
}

/**
 * Declares the inputs that every decoder graph has. Rotation positions are one per token and head; the tables
 * are those of rope-tables.ts, with rows that turn nothing for value heads. Layers that turn no head have rows of their own.
 * To be called first (quantized/tensors.ts); `back`: derivatives will be asked for.
 */
export function decoderInputs(graph: Graph, config: ModelConfig, { back = false } = {}): DecoderInputs {
  const { quantization } = config;
  const quantized = quantization && quantizedInputs(graph, config, quantization, { back });
  const angles = ["P", config.headSize / 2];
  const declare = (tensors: readonly Tensor[]) =>
    new Map(tensors.map(({ name, shape }) => [name, graph.input(name, graph.float, shape)]));
  const rows = (name: string) => graph.input(name, "int64", [multiplyDims(["N", headsPerToken(config)]), 1]);
  const rotation = {
    positions: rows("positions"),
    cos: graph.input("rope_cos", graph.float, angles),
    sin: graph.input("rope_sin", graph.float, angles),
  };
  const weights = declare(fuseTensors(parameterShapes(config, { matrices: !quantized })));
  const adapters = config.lora && declare(fuseTensors(loraParameters(config, config.lora)));
  return {
    tokens: graph.input("tokens", "int64", ["N"]),
    rotation,
    ...(config.unrotatedLayers.length > 0 && {
      unrotated: { ...rotation, positions: rows("unrotated_positions") },
    }),
    tensors: new Map([...weights, ...(adapters ?? [])]),
    quantized: quantized ?? new Map(),
    trained: adapters ?? weights,
  };
}

export interface HiddenOptions {
  /** Picks the tokens whose state is wanted: after the last attention no other is computed. Default: all. */
  needed?: (x: Value) => Value;
  /** Keep each layer's input alone for the derivative, and compute the layer again then; the last is needed at once. */
  gradientCheckpointing?: boolean | undefined;
}

/**
 * Hidden states after the final norm, or undefined when attention ended the pass. Source: Hugging Face modeling_*.py of
 * the families. // [N, C], or [needed, C]
 */
export function decoderHidden(
  graph: Graph,
  config: ModelConfig,
  inputs: DecoderInputs,
  attend: Attend,
  { needed = (x) => x, gradientCheckpointing = false }: HiddenOptions = {},
): Value | undefined {
  const { tokens, tensors, rotation, unrotated = rotation } = inputs;
  const adapt = adaptersOf(graph, config, tensors);
  const project = (name: string, x: Value) =>
    adapt(name, product(graph, x, matrixOf(inputs, `${name}.weight`), tensors.get(`${name}.bias`)), x);
  const norm = (name: string, x: Value) =>
    rmsNorm(graph, x, tensors.get(`${name}.weight`)!, config.rmsNormEps);

  const layerOf = (i: number, x: Value): Value | undefined => {
    const layer = `model.layers.${i}`;
    const qkv = project(`${layer}.self_attn.qkv_proj`, norm(`${layer}.input_layernorm`, x));
    const heads = config.qkNorm
      ? normalizeHeads(graph, config, qkv, (kind, heads) => norm(`${layer}.self_attn.${kind}_norm`, heads))
      : qkv;
    const turned = config.unrotatedLayers.includes(i) ? unrotated : rotation;
    let mixed = attend(i, rotateHeads(graph, config, heads, turned));
    if (!mixed) return undefined;
    let kept = x;
    if (i === config.layers - 1) [mixed, kept] = [needed(mixed), needed(x)];
    const attended = add(graph, kept, project(`${layer}.self_attn.o_proj`, mixed));

    const fed = norm(`${layer}.post_attention_layernorm`, attended);
    const gate = silu(graph, project(`${layer}.mlp.gate_proj`, fed));
    const up = project(`${layer}.mlp.up_proj`, fed);
    return add(graph, attended, project(`${layer}.mlp.down_proj`, mul(graph, gate, up)));
  };

  let x = rowsOf(graph, matrixOf(inputs, "model.embed_tokens.weight"), tokens);
  for (let i = 0; i < config.layers; i++) {
    const isKept = !gradientCheckpointing || i === config.layers - 1;
    const next = isKept ? layerOf(i, x) : checkpoint(graph, x, (input) => layerOf(i, input)!);
    if (!next) return undefined;
    x = next;
  }
  return norm("model.norm", x);
}

/** The matrix from hidden states to scores. // [V, C] */
export function headWeight(config: ModelConfig, inputs: DecoderInputs): Matrix {
  return matrixOf(inputs, config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");
}

function matrixOf({ tensors, quantized }: DecoderInputs, name: string): Matrix {
  return quantized.get(name) ?? tensors.get(name)!;
}

/** Query and key heads, each by itself, through their norms. // [N, (H+2K)·D] → [N, (H+2K)·D] */
function normalizeHeads(
  graph: Graph,
  { heads, kvHeads, headSize }: ModelConfig,
  qkv: Value,
  norm: (kind: "q" | "k", heads: Value) => Value,
): Value {
  const counts = [heads, kvHeads, kvHeads];
  const [queries, keys, values] = split(
    graph,
    qkv,
    1,
    counts.map((count) => count * headSize),
  ) as [Value, Value, Value];
  const perHead = (kind: "q" | "k", x: Value, count: number) => {
    const rows = reshape(graph, x, [multiplyDims([x.shape[0]!, count]), headSize]);
    return reshape(graph, norm(kind, rows), x.shape);
  };
  return concat(graph, [perHead("q", queries, heads), perHead("k", keys, kvHeads), values], 1);
}

/** Every head of every token as a row, turned by its position. // [N, (H+2K)·D] → [N·(H+2K), 1, D] */
function rotateHeads(graph: Graph, config: ModelConfig, qkv: Value, rotation: Rotation): Value {
  const rows = multiplyDims([qkv.shape[0]!, headsPerToken(config)]);
  const size = config.headSize;
  // as sequences of one: the runtime's kernel takes none longer than its tables
  return rope(graph, reshape(graph, qkv, [rows, 1, size]), 1, rotation);
}
