/**
 * The graphs of sampling. Large state goes in, only what is new comes out (docs/decisions/0004): for each layer the
 * heads of the new tokens, of which the cache keeps keys and values.
 */
import {
  createGraph,
  exp,
  type Graph,
  linear,
  mul,
  reshape,
  type Shape,
  sub,
  sum,
  type Value,
} from "../../graph/index.ts";
import type { ModelConfig } from "../../model/config.ts";
import { decoderHidden, decoderInputs, headWeight } from "../../model/decoder.ts";
import type { Fused } from "../../model/tensors.ts";
import {
  cachedAttention,
  type Seen,
  type SharedSeen,
  stepAttention,
  treeAttention,
  treeLayoutInputs,
} from "../../model/tree-attention.ts";
import { MASKED } from "./tree-layout.ts";

/** With few tokens a run, fewer and larger products pay. */
export const SAMPLING_FUSED: readonly Fused[] = ["qkv_proj", "gate_up_proj"];

/**
 * The tokens of a prefix tree from nothing: inputs decoderInputs and treeLayoutInputs, output `heads.i` [N·(H+2K), D]
 * per layer. Nothing is computed after the last layer's heads.
 */
export function prefillGraph(config: ModelConfig, levels: number): Graph {
  const graph = createGraph();
  const inputs = decoderInputs(graph, config, SAMPLING_FUSED);
  const layout = treeLayoutInputs(graph, { ...config, levels, back: false });
  decoderHidden(graph, config, inputs, (layer, heads) => {
    graph.output(`heads.${layer}`, heads);
    return layer < config.layers - 1 ? treeAttention(graph, heads, layout) : undefined;
  });
  return graph;
}

/**
 * Several new tokens over a cache, as many for each of B rows: inputs decoderInputs, treeLayoutInputs of one level with
 * the past, and `past_keys.i`, `past_values.i` [B, K, S, D]. Output `heads.i` as above.
 */
export function extendGraph(config: ModelConfig): Graph {
  const graph = createGraph();
  const inputs = decoderInputs(graph, config, SAMPLING_FUSED);
  const layout = treeLayoutInputs(graph, { ...config, levels: 1, back: false, past: "S" });
  decoderHidden(graph, config, inputs, (layer, heads) => {
    graph.output(`heads.${layer}`, heads);
    if (layer === config.layers - 1) return undefined;
    return cachedAttention(graph, heads, layout, pastInputs(graph, config, layer, "B"));
  });
  return graph;
}

/** Entries of the vocabulary that are summed up together; a vocabulary of fewer than BLOCKED_FROM is not. Arbitrary. */
export const BLOCK = 512;
export const BLOCKED_FROM = 4096;

/**
 * One new token over each of N rows' caches: as extendGraph, with `mask` [N, 1, 1, S + 1] and the `logits` [N, V]. With
 * `shared`, groups of rows have a beginning in common (shared-prefix.ts), whose entries come first in the mask. For
 * a large vocabulary also the input `inverse_temperature` and the outputs `block_highest`, `block_masses` [N, blocks]
 * (choice.ts).
 */
export function stepGraph(config: ModelConfig, { shared }: { shared: boolean }): Graph {
  const graph = createGraph();
  const inputs = decoderInputs(graph, config, SAMPLING_FUSED);
  const mask = graph.input("mask", graph.float, ["N", 1, 1, shared ? "(W+S+1)" : "(S+1)"]);
  const groups = shared ? groupInputs(graph, config) : undefined;
  const hidden = decoderHidden(graph, config, inputs, (layer, heads) => {
    graph.output(`heads.${layer}`, heads);
    const past = pastInputs(graph, config, layer, "N");
    const common = groups && { ...groups, ...seenInputs(graph, config, layer, "shared", ["R", "W"]) };
    return stepAttention(graph, heads, { past, shared: common, mask }, config);
  });
  const logits = linear(graph, hidden!, headWeight(config, inputs));
  graph.output("logits", logits);
  if (config.vocabSize >= BLOCKED_FROM) blockOutputs(graph, logits);
  return graph;
}

function blockOutputs(graph: Graph, logits: Value): void {
  const blocks = Math.ceil((logits.shape[1] as number) / BLOCK);
  const missing = blocks * BLOCK - (logits.shape[1] as number);
  const pads = [graph.constant("int64", [4], [0, 0, 0, missing]), graph.scalar(MASKED)];
  const whole =
    missing === 0 ? logits : graph.node("Pad", [logits, ...pads], logits.dtype, ["N", blocks * BLOCK]);
  const apart = reshape(graph, whole, ["N", blocks, BLOCK]);
  const largest = (x: Value, shape: Shape, keepDims: boolean) =>
    graph.node("ReduceMax", [x, graph.constant("int64", [1], [-1])], x.dtype, shape, {
      attributes: { keepdims: { int: Number(keepDims) } },
    });
  const highest = largest(apart, ["N", blocks], false);
  const top = reshape(graph, largest(highest, ["N", 1], true), ["N", 1, 1]);
  const inverse = graph.input("inverse_temperature", graph.float, []);
  const masses = exp(graph, mul(graph, sub(graph, apart, top), inverse));
  graph.output("block_highest", highest);
  graph.output("block_masses", sum(graph, masses, { axes: [-1] }));
}

function pastInputs(graph: Graph, config: ModelConfig, layer: number, rows: string): Seen {
  return seenInputs(graph, config, layer, "past", [rows, "S"]);
}

function seenInputs(
  graph: Graph,
  { kvHeads, headSize }: ModelConfig,
  layer: number,
  name: string,
  [rows, length]: readonly [string, string],
): Seen {
  const input = (part: string) =>
    graph.input(`${name}_${part}.${layer}`, graph.float, [rows, kvHeads, length, headSize]);
  return { keys: input("keys"), values: input("values") };
}

/** R groups of at most M rows each (shared-prefix.ts). */
function groupInputs(graph: Graph, { heads, kvHeads }: ModelConfig): Omit<SharedSeen, keyof Seen> {
  const groups = ["R", kvHeads, "M", heads / kvHeads];
  return {
    groupQueries: graph.input("group_queries", "int64", groups),
    groupRows: graph.input("group_rows", "int64", groups),
    rowGroups: graph.input("row_groups", "int64", ["N", kvHeads, heads / kvHeads]),
  };
}
