/** Softmax, log-softmax and the log-probability of chosen entries, over the last axis, and their derivatives. */
import type { Graph } from "../graph.ts";
import { graphError, multiplyDims, sameShape, type Value } from "../value.ts";
import { exp, mul, neg, sub } from "./arithmetic.ts";
import { broadcastTo, reshape, sum } from "./broadcast.ts";

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

/**
 * ln p of chosen classes: entry e is log-softmax(logits[rows[e]])[targets[e]]. Rows may serve several entries or none.
 * // [R, V], int64 [E], int64 [E] → [E]
 */
export function tokenLogprob(graph: Graph, logits: Value, rows: Value, targets: Value): Value {
  const [count, classes] = logits.shape;
  const entries = targets.shape;
  if (
    logits.shape.length !== 2 ||
    typeof classes !== "number" ||
    entries.length !== 1 ||
    !sameShape(rows.shape, entries) ||
    rows.dtype !== "int64" ||
    targets.dtype !== "int64"
  ) {
    throw graphError(
      "tokenLogprob",
      "needs logits [R, V], int64 rows [E] and targets [E]",
      logits,
      rows,
      targets,
    );
  }
  const logprobs = graph.node("LogSoftmax", [logits], logits.dtype, logits.shape, LAST_AXIS);
  const first = graph.node("Mul", [rows, graph.constant("int64", [], [classes])], "int64", entries);
  const index = graph.node("Add", [first, targets], "int64", entries);
  const flat = [multiplyDims([count!, classes])];
  const output = graph.node("Gather", [reshape(graph, logprobs, flat), index], logits.dtype, entries);
  graph.record({
    inputs: [logits],
    output,
    // dlogits[r] = Σ_e d[e] · (onehot(target) − softmax(logits[r])) over the entries of row r
    backward: (d) => [
      () => {
        const zeros = broadcastTo(graph, reshape(graph, graph.scalar(0), [1]), [count!]);
        const sums = reshape(graph, scatterAdd(graph, zeros, rows, d), [count!, 1]);
        const spread = mul(graph, exp(graph, logprobs), neg(graph, sums));
        return reshape(graph, scatterAdd(graph, reshape(graph, spread, flat), index, d), logits.shape);
      },
    ],
  });
  return output;
}

/** A vector with updates added at indices, in order: indices may repeat. */
function scatterAdd(graph: Graph, vector: Value, index: Value, updates: Value): Value {
  return graph.node("ScatterElements", [vector, index, updates], vector.dtype, vector.shape, {
    attributes: { axis: { int: 0 }, reduction: { string: "add" } },
  });
}
