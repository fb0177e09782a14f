/**
 * Which of a model's matrices are kept as integers, and under which names graphs take them: every matrix of weights, with
 * 8 bits where 4 are asked for but the matrix is the embedding or the head, as is usual: they speak for every token alone.
 */
import type { Quantization } from "../../core/quantization.ts";
import {
  type Feed,
  type Graph,
  NIBBLE_BLOCK,
  type QuantizedMatrix,
  toFloat,
  unpackNibbles,
} from "../../graph/index.ts";
import type { ModelConfig } from "../config.ts";
import { parameterShapes } from "../parameters.ts";
import { fuseTensors, type Tensor } from "../tensors.ts";
import type { QuantizedBits, QuantizedValues } from "./quantize.ts";

/** What graphs are fed as one matrix: `offset` is its place among all weights in order. */
export function matricesOf(config: ModelConfig): Tensor[] {
  return fuseTensors(parameterShapes(config)).filter(({ shape }) => shape.length === 2);
}

export function bitsOf(quantization: Quantization, name: string): QuantizedBits {
  return quantization === "int8" || /^(model\.embed_tokens|lm_head)\./.test(name) ? 8 : 4;
}

const names = (name: string) => ({
  values: `${name}:int8`,
  nibbles: `${name}:int4`,
  multipliers: `${name}:multipliers`,
  scales: `${name}:scales`,
  /** What is computed for a derivative is computed from inputs of its own, or the runtime would keep the first. */
  again: (part: string) => `${part}:again`,
});

/**
 * Declares the matrices. `back` adds their floats. To be called before any other node is made: the runtime takes a node's
 * inputs in reverse order of their making, so that a matrix made first is made when its product is due, and dropped after.
 */
export function quantizedInputs(
  graph: Graph,
  config: ModelConfig,
  quantization: Quantization,
  { back }: { back: boolean },
): Map<string, QuantizedMatrix> {
  const matrix = ({ name, shape: [outputs, inputs] }: Tensor): [string, QuantizedMatrix] => {
    const of = names(name);
    const integers = (called: (part: string) => string) => {
      if (bitsOf(quantization, name) === 8)
        return graph.input(called(of.values), "int8", [inputs!, outputs!]);
      const blocks = inputs! / NIBBLE_BLOCK;
      const nibbles = graph.input(called(of.nibbles), "uint8", [blocks, NIBBLE_BLOCK / 2, outputs!]);
      const multipliers = graph.input(called(of.multipliers), "int8", [blocks, 1, outputs!]);
      return unpackNibbles(graph, nibbles, multipliers);
    };
    const values = integers((part) => part);
    return [
      name,
      {
        values,
        scales: graph.input(of.scales, graph.float, [outputs!]),
        ...(back && { floats: toFloat(graph, integers(of.again)) }),
      },
    ];
  };
  return new Map(matricesOf(config).map(matrix));
}

/** What those inputs are fed. */
export function quantizedFeeds(name: string, quantized: QuantizedValues): Record<string, Feed> {
  const { inputs, outputs, values, nibbles, multipliers, scales } = quantized;
  const of = names(name);
  const blocks = inputs / NIBBLE_BLOCK;
  const parts: Record<string, Feed> = {
    ...(values && { [of.values]: { data: values, dims: [inputs, outputs] } }),
    ...(nibbles && { [of.nibbles]: { data: nibbles, dims: [blocks, NIBBLE_BLOCK / 2, outputs] } }),
    ...(multipliers && { [of.multipliers]: { data: multipliers, dims: [blocks, 1, outputs] } }),
  };
  const again = Object.entries(parts).map(([part, feed]) => [of.again(part), feed]);
  return { ...parts, ...Object.fromEntries(again), [of.scales]: { data: scales, dims: [outputs] } };
}
