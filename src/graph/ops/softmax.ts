/** Softmax, log-softmax and the log-probability of chosen entries, over the last axis, and their derivatives. */
import type { Graph } from "../graph.ts";
import { graphError, sameShape, type Value } from "../value.ts";
import { exp, mul, neg, sub } from "./arithmetic.ts";
import { reshape, sum } from "./broadcast.ts";

const LAST_AXIS = { attributes: { axis: { int: -1 } } };

/** e^x / Σ e^x over the last axis. */
export function softmax(graph: Graph, x: Value): Value {
  const output = graph.node("Softmax", [x], x.dtype, x.shape, LAST_AXIS);
  graph.record({
    inputs: [x],
    output,
    // dx = y ∘ (d − Σ d∘y)
    backward: (d) => [
      () => {
        const inner = sum(graph, mul(graph, d, output), { axes: [-1], keepDims: true });
        return mul(graph, sub(graph, d, inner), output);
      },
    ],
  });
  return output;
}

/** x − ln Σ e^x over the last axis. */
export function logSoftmax(graph: Graph, x: Value): Value {
  const output = graph.node("LogSoftmax", [x], x.dtype, x.shape, LAST_AXIS);
  graph.record({
    inputs: [x],
    output,
    // dx = d − softmax(x) ∘ Σ d
    backward: (d) => [
      () => sub(graph, d, mul(graph, exp(graph, output), sum(graph, d, { axes: [-1], keepDims: true }))),
    ],
  });
  return output;
}

/** ln p of one class per row: log-softmax(logits)[target]. // [N, V], int64 [N] → [N] */
export function tokenLogprob(graph: Graph, logits: Value, targets: Value): Value {
  const [rows, classes] = logits.shape;
  if (logits.shape.length !== 2 || !sameShape(targets.shape, [rows!]) || targets.dtype !== "int64") {
    throw graphError("tokenLogprob", "needs logits [N, V] and int64 targets [N]", logits, targets);
  }
  const logprobs = graph.node("LogSoftmax", [logits], logits.dtype, logits.shape, LAST_AXIS);
  const index = reshape(graph, targets, [rows!, 1]);
  const picked = graph.node("GatherElements", [logprobs, index], logits.dtype, [rows!, 1], {
    attributes: { axis: { int: 1 } },
  });
  const output = graph.node("Reshape", [picked, graph.shapeTensor([rows!])], logits.dtype, [rows!]);
  graph.record({
    inputs: [logits],
    output,
    // dlogits = d · (onehot(target) − softmax(logits))
    backward: (d) => [
      () => {
        const column = reshape(graph, d, [rows!, 1]);
        const spread = mul(graph, exp(graph, logprobs), neg(graph, column));
        return graph.node("ScatterElements", [spread, index, column], logits.dtype, [rows!, classes!], {
          attributes: { axis: { int: 1 }, reduction: { string: "add" } },
        });
      },
    ],
  });
  return output;
}
