/**
 * The graph of one forward (and backward) pass: tokens to log-probabilities to a summed loss to parameter gradients.
 * Formulas are Tinker's (contract.ts); a token whose weight is 0 gets a derivative of exactly 0.
 */

import type { KlEstimator } from "../../../core/kl.ts";
import {
  add,
  createGraph,
  exp,
  type FloatType,
  type Graph,
  gradients,
  max,
  min,
  mul,
  neg,
  scale,
  stopGradient,
  sub,
  sum,
  type Value,
} from "../../../graph/index.ts";
import type { ModelConfig } from "../../../model/config.ts";
import { decoderHidden, decoderInputs, headWeight } from "../../../model/decoder.ts";
import { entryLogprobs, headInputs, takeScored } from "../../../model/head.ts";
import { treeAttention, treeLayoutInputs } from "../../../model/tree-attention.ts";
import type { Loss } from "../../contract.ts";

/** What shapes a graph: it is compiled once for each. */
export interface PassShape {
  /** Levels of the prefix tree. */
  levels: number;
  /** Chunks of scored tokens. */
  chunks: number;
  /** Compute activations again for the derivative instead of keeping them (decoder.ts). Default false. */
  gradientCheckpointing?: boolean;
}

/** Inputs: decoderInputs, treeLayoutInputs, headInputs. Output: `logprobs` [chunks · E]. */
export function forwardGraph(config: ModelConfig, shape: PassShape, float: FloatType = "float32"): Graph {
  const graph = createGraph(float);
  targetLogprobs(graph, config, { ...shape, gradientCheckpointing: false }, false);
  return graph;
}

/**
 * Adds to forwardGraph's the loss's inputs (below) and as outputs `loss` and `d:<name>` for every tensor that learns.
 * Only the loss's name and KL estimator shape the graph; bounds and temperature are inputs.
 */
export function trainingGraph(
  config: ModelConfig,
  shape: PassShape,
  loss: { name: Loss["name"]; kl?: KlEstimator | undefined },
  float: FloatType = "float32",
): Graph {
  const graph = createGraph(float);
  const { logprobs, trained } = targetLogprobs(graph, config, shape, true);
  let total = policyLoss(graph, loss.name, logprobs);
  if (loss.kl) total = add(graph, total, klLoss(graph, loss.kl, logprobs));
  graph.output("loss", total);
  const names = [...trained.keys()];
  gradients(graph, total, [...trained.values()]).forEach((d, i) => void graph.output(`d:${names[i]}`, d));
  return graph;
}

function targetLogprobs(graph: Graph, config: ModelConfig, shape: PassShape, back: boolean) {
  const { levels, chunks, gradientCheckpointing } = shape;
  const inputs = decoderInputs(graph, config, { back });
  const layoutOf = treeLayoutInputs(graph, { ...config, levels, back });
  const head = headInputs(graph, chunks);
  const hidden = decoderHidden(
    graph,
    config,
    inputs,
    (layer, heads) => treeAttention(graph, heads, layoutOf(layer)),
    { needed: (x) => takeScored(graph, x, head), gradientCheckpointing },
  );
  const logprobs = entryLogprobs(graph, hidden!, headWeight(config, inputs), head);
  graph.output("logprobs", logprobs);
  return { logprobs, trained: inputs.trained };
}

/** The summed loss of per-token log-probabilities; its inputs are named after the loss's formula (contract.ts). */
export function policyLoss(graph: Graph, name: Loss["name"], logprobs: Value): Value {
  const input = (key: string, shape = logprobs.shape) => graph.input(key, graph.float, shape);
  if (name === "cross_entropy") return neg(graph, sum(graph, mul(graph, logprobs, input("weights"))));
  const ratio = exp(graph, sub(graph, logprobs, input("sampled_logprobs")));
  const advantages = input("advantages");
  const plain = mul(graph, ratio, advantages);
  if (name === "importance_sampling") return neg(graph, sum(graph, plain));
  const clipped = min(graph, max(graph, ratio, input("clip_low", [])), input("clip_high", []));
  return neg(graph, sum(graph, min(graph, plain, mul(graph, clipped, advantages))));
}

/**
 * Σ klWeights · estimator, with δ = ln p_ref − ln p (Schulman 2020, "Approximating KL divergence").
 * k1 = −δ enters through the score function, ratio · stopgrad(−δ), whose gradient is that of k1 in the reward;
 * k2 = δ²/2; k3 = e^δ − δ − 1.
 */
export function klLoss(graph: Graph, estimator: KlEstimator, logprobs: Value): Value {
  const input = (key: string) => graph.input(key, graph.float, logprobs.shape);
  const weights = input("kl_weights");
  // 1 where kl_weights is not 0: without it e^δ of an untrained token could be ∞, and ∞·0 is not 0.
  const delta = mul(graph, sub(graph, input("reference_logprobs"), logprobs), input("kl_mask"));
  if (estimator === "k2") return sum(graph, mul(graph, weights, scale(graph, mul(graph, delta, delta), 0.5)));
  if (estimator === "k3") {
    const k3 = sub(graph, sub(graph, exp(graph, delta), delta), graph.scalar(1));
    return sum(graph, mul(graph, weights, k3));
  }
  const score = exp(graph, sub(graph, logprobs, stopGradient(graph, logprobs)));
  return sum(graph, mul(graph, weights, mul(graph, score, stopGradient(graph, neg(graph, delta)))));
}
