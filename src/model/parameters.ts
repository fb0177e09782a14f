/**
 * The parameters of a decoder under their Hugging Face names, and where each lies in one flat float32 buffer. The order
 * here is the order of the buffer, of checkpoints and of optimiser state. Knows no graph and no file.
 */
import { createRng } from "../core/rng.ts";
import type { ModelConfig } from "./config.ts";

export interface Parameter {
  name: string;
  /** Matrices are [out, in]. */
  shape: number[];
  /** Number of values. */
  size: number;
  /** Index of its first value in the flat buffer. */
  offset: number;
  /** Whether weight decay applies: to matrices, not to norms and biases. */
  decay: boolean;
}

/** What is fed as one tensor begins at a multiple of 16 values: a cache line, whatever vector width reads it. */
const ALIGNMENT = 16;

/**
 * All parameters in order, as the config says. A tied model has no `lm_head.weight`. Those that graphs use as one
 * product (tensors.ts) lie side by side. Without `matrices` only norms and biases.
 */
export function parameterShapes(config: ModelConfig, { matrices = true } = {}): Parameter[] {
  const { hiddenSize, intermediateSize, vocabSize } = config;
  const queries = config.heads * config.headSize;
  const keys = config.kvHeads * config.headSize;
  const parameters: Parameter[] = [];
  let offset = 0;
  const add = (name: string, ...shape: number[]) => {
    if (shape.length > 1 && !matrices) return;
    const size = shape.reduce((product, length) => product * length, 1);
    parameters.push({ name, shape, size, offset, decay: shape.length > 1 });
    offset += size;
  };
  const align = () => {
    offset = Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
  };
  /** Projections of one input: their weights side by side, then their biases. */
  const addLinear = (outputs: Record<string, number>, inputs: number, bias: boolean) => {
    align();
    for (const [name, rows] of Object.entries(outputs)) add(`${name}.weight`, rows, inputs);
    align();
    if (bias) for (const [name, rows] of Object.entries(outputs)) add(`${name}.bias`, rows);
    align();
  };
  const addNorm = (name: string, width = hiddenSize) => {
    add(`${name}.weight`, width);
    align();
  };

  addLinear({ "model.embed_tokens": vocabSize }, hiddenSize, false);
  for (let i = 0; i < config.layers; i++) {
    const layer = `model.layers.${i}`;
    const attention = (name: string) => `${layer}.self_attn.${name}_proj`;
    addNorm(`${layer}.input_layernorm`);
    addLinear(
      config.fusedProjections
        ? { [attention("qkv")]: queries + 2 * keys }
        : { [attention("q")]: queries, [attention("k")]: keys, [attention("v")]: keys },
      hiddenSize,
      config.attentionBias,
    );
    if (config.qkNorm) {
      addNorm(`${layer}.self_attn.q_norm`, config.headSize);
      addNorm(`${layer}.self_attn.k_norm`, config.headSize);
    }
    addLinear({ [attention("o")]: hiddenSize }, queries, config.attentionOutputBias);
    addNorm(`${layer}.post_attention_layernorm`);
    addLinear(
      config.fusedProjections
        ? { [`${layer}.mlp.gate_up_proj`]: 2 * intermediateSize }
        : { [`${layer}.mlp.gate_proj`]: intermediateSize, [`${layer}.mlp.up_proj`]: intermediateSize },
      hiddenSize,
      config.mlpBias,
    );
    addLinear({ [`${layer}.mlp.down_proj`]: hiddenSize }, intermediateSize, config.mlpBias);
  }
  addNorm("model.norm");
  if (!config.tieWordEmbeddings) addLinear({ lm_head: vocabSize }, hiddenSize, false);
  return parameters;
}

/** Parameters one after the other, each at a multiple of ALIGNMENT. */
export function layOut(shapes: readonly { name: string; shape: number[] }[]): Parameter[] {
  let offset = 0;
  return shapes.map(({ name, shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const parameter = { name, shape, size, offset, decay: shape.length > 1 };
    offset += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    return parameter;
  });
}

/** Values in all parameters, without the padding between them. */
export function parameterCount(config: ModelConfig): number {
  return parameterShapes(config).reduce((sum, { size }) => sum + size, 0);
}

/** Length of the flat buffer. */
export function flatSize(parameters: readonly Parameter[]): number {
  const last = parameters.at(-1);
  return last ? last.offset + Math.ceil(last.size / ALIGNMENT) * ALIGNMENT : 0;
}

/** A parameter's values, as a view into the flat buffer. */
export function parameterView(flat: Float32Array, { offset, size }: Parameter): Float32Array {
  return flat.subarray(offset, offset + size);
}

/**
 * A flat buffer of fresh weights: matrices N(0, initializerRange²), norms 1, biases 0. The projections that write to
 * the residual stream are divided by sqrt(2 · layers) (GPT-2 §2.3), so that its variance does not grow with depth.
 * Each parameter draws from a stream of its own, forked by name.
 */
export function initParameters(config: ModelConfig, seed: number): Float32Array {
  const parameters = parameterShapes(config);
  const flat = new Float32Array(flatSize(parameters));
  const rng = createRng(seed);
  for (const parameter of parameters) {
    const values = parameterView(flat, parameter);
    if (parameter.name.endsWith("norm.weight")) values.fill(1);
    if (!parameter.decay) continue;
    const isResidual = /\.(o_proj|down_proj)\.weight$/.test(parameter.name);
    const std = config.initializerRange / (isResidual ? Math.sqrt(2 * config.layers) : 1);
    const { normal } = rng.fork(parameter.name);
    for (let i = 0; i < values.length; i++) values[i] = std * normal();
  }
  return flat;
}
