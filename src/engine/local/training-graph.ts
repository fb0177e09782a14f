/**
 * The graph of one forward (and backward) pass: tokens to log-probabilities to a summed loss to parameter gradients.
 * Formulas are Tinker's (contract.ts); a token whose weight is 0 gets a derivative of exactly 0.
 */
import {
  add,
  createGraph,
  exp,
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
  tokenLogprob,
  type Value,
} from "../../graph/index.ts";
import type { FloatType } from "../../graph/value.ts";
import type { ModelConfig } from "../../model/config.ts";
import { decoderHidden, decoderInputs, lmHead } from "../../model/decoder.ts";
import type { KlEstimator, Loss } from "../contract.ts";

/** All per-token numbers are flat over the batch. // [B·T] */
const TOKENS = ["B*T"];

/** Inputs: decoderInputs, `targets`, `inverse_temperature`. Output: `logprobs` [B·T]. */
export function forwardGraph(config: ModelConfig, float: FloatType = "float32"): Graph {
  const graph = createGraph(float);
  targetLogprobs(graph, config);
  return graph;
}

/**
 * Adds to forwardGraph's the loss's inputs (below) and as outputs `loss` and `d:<name>` for every parameter.
 * Only the loss's name and KL estimator shape the graph; bounds and temperature are inputs.
 */
export function trainingGraph(
  config: ModelConfig,
  loss: { name: Loss["name"]; kl?: KlEstimator | undefined },
  float: FloatType = "float32",
): Graph {
  const graph = createGraph(float);
  const { logprobs, parameters } = targetLogprobs(graph, config);
  let total = policyLoss(graph, loss.name, logprobs);
  if (loss.kl) total = add(graph, total, klLoss(graph, loss.kl, logprobs));
  graph.output("loss", total);
  const names = [...parameters.keys()];
  gradients(graph, total, [...parameters.values()]).forEach((d, i) => void graph.output(`d:${names[i]}`, d));
  return graph;
}

function targetLogprobs(graph: Graph, config: ModelConfig) {
  const inputs = decoderInputs(graph, config, [1, 1, "T", "T"]);
  const targets = graph.input("targets", "int64", TOKENS);
  const inverseTemperature = graph.input("inverse_temperature", graph.float, []);
  const logits = lmHead(graph, config, inputs, decoderHidden(graph, config, inputs).hidden);
  const logprobs = tokenLogprob(graph, mul(graph, logits, inverseTemperature), targets);
  graph.output("logprobs", logprobs);
  return { logprobs, parameters: inputs.parameters };
}

/** The summed loss of per-token log-probabilities; its inputs are named after the loss's formula (contract.ts). */
export function policyLoss(graph: Graph, name: Loss["name"], logprobs: Value): Value {
  const input = (key: string, shape: readonly string[] = TOKENS) => graph.input(key, graph.float, shape);
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
  const input = (key: string) => graph.input(key, graph.float, TOKENS);
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
