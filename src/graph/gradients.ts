/**
 * Reverse-mode differentiation: walks the tape backwards and emits each op's vector-Jacobian product as further nodes
 * of the same graph. Only what the requested derivatives need is emitted.
 */
import type { Graph, TapeEntry } from "./graph.ts";
import { add } from "./ops/arithmetic.ts";
import { graphError, sameShape, type Value } from "./value.ts";

/**
 * The derivatives of a scalar loss with respect to values of the graph, in their shapes.
 * Throws `MulliganError("graph")` when the loss is no float scalar or does not depend on one of the values.
 */
export function gradients(graph: Graph, loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0 || loss.dtype !== graph.float) {
    throw graphError("gradients", `the loss must be a ${graph.float} scalar`, loss);
  }
  return pullBack(graph, graph.tape, { value: loss, derivative: graph.scalar(1) }, wrt);
}

/** What a derivative with respect to one value of a tape says of others. Throws as `gradients` does. */
export function pullBack(
  graph: Graph,
  tape: readonly TapeEntry[],
  from: { value: Value; derivative: Value },
  wrt: readonly Value[],
): Value[] {
  const entries = [...tape];
  const depends = new Set(wrt.map((value) => value.name));
  for (const entry of entries) {
    if (entry.inputs.some((input) => depends.has(input.name))) depends.add(entry.output.name);
  }

  const derivatives = new Map<string, Value>([[from.value.name, from.derivative]]);
  for (const entry of entries.reverse()) {
    const dOutput = derivatives.get(entry.output.name);
    if (!dOutput || !depends.has(entry.output.name)) continue;
    const thunks = entry.backward(dOutput, depends);
    entry.inputs.forEach((input, i) => {
      const thunk = thunks[i];
      if (!thunk || !depends.has(input.name)) return;
      const derivative = thunk();
      if (!sameShape(derivative.shape, input.shape)) {
        throw graphError("gradients", "a derivative must have its value's shape", derivative, input);
      }
      const earlier = derivatives.get(input.name);
      derivatives.set(input.name, earlier ? add(graph, earlier, derivative) : derivative);
    });
  }
  return wrt.map((value) => {
    const derivative = derivatives.get(value.name);
    if (!derivative) throw graphError("gradients", `the loss does not depend on "${value.name}"`, value);
    return derivative;
  });
}
