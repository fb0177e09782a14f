/**
 * Parts of a graph of which only the input is kept for the derivative; the rest is computed again when its turn comes
 * (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Less memory, one more forward pass, the same numbers.
 */
import { pullBack } from "./gradients.ts";
import { type Graph, recorded, type TapeEntry } from "./graph.ts";
import { graphError, sameShape, type Value } from "./value.ts";

/** build(x), of x's shape. Throws `MulliganError("graph")` for another: see `after`. */
export function checkpoint(graph: Graph, x: Value, build: (x: Value) => Value): Value {
  const { result: output, tape } = recorded(graph, () => build(x));
  if (!sameShape(x.shape, output.shape)) {
    throw graphError("checkpoint", "what is computed again must keep its input's shape", x, output);
  }
  const inputs = inputsOf(tape);
  graph.record({
    inputs,
    output,
    backward: (d, asked) => {
      const again = after(graph, x, d);
      const { result, tape } = recorded(graph, () => build(again));
      const wanted = inputs.filter(({ name }) => asked.has(name));
      const wrt = wanted.map((input) => (input.name === x.name ? again : input));
      const derivatives = pullBack(graph, tape, { value: result, derivative: d }, wrt);
      return inputs.map((input) => () => derivatives[wanted.indexOf(input)]!);
    },
  });
  return output;
}

/** What a part of the tape takes from elsewhere. */
function inputsOf(tape: readonly TapeEntry[]): Value[] {
  const made = new Set(tape.map(({ output }) => output.name));
  const taken = tape.flatMap(({ inputs }) => inputs).filter(({ name }) => !made.has(name));
  return [...new Map(taken.map((value) => [value.name, value])).values()];
}

/**
 * x, but not before d: else the runtime would compute at once what is wanted late, or take what it had computed before.
 * Of d only its shape is read, which is x's. No memory of its own.
 */
function after(graph: Graph, x: Value, d: Value): Value {
  const shape = graph.node("Shape", [d], "int64", [d.shape.length]);
  return graph.node("Reshape", [x, shape], x.dtype, x.shape);
}
