/**
 * The scores of chosen tokens, and of no other: the head is the largest matrix of a small model, and most tokens are
 * never scored. Long lists go in chunks, whose scores are computed again for the derivative instead of being kept.
 */
import {
  add,
  type Graph,
  gradients,
  mul,
  multiplyDims,
  reshape,
  type Shape,
  sum,
  takeRows,
  tokenLogprob,
  type Value,
  withoutTape,
} from "../graph/index.ts";
import { isQuantized, type Matrix, product } from "./matrix.ts";

export interface HeadInputs {
  /** Tokens whose hidden states are scored, each once. // int64 [chunks, R] */
  scored: Value;
  /** Of each token its index among the scored ones, chunks · R for none. // int64 [N] */
  scoredInverse: Value;
  /** The row within its chunk that each entry is a score of, and the vocabulary entry scored. // int64 [chunks, E] */
  entryRows: Value;
  entryTargets: Value;
  /** Scores are divided by the temperature. // [] */
  inverseTemperature: Value;
  /** With chunks, the same number once more: else the runtime would merge what is computed again with what was. */
  inverseTemperatureAgain?: Value;
}

/** Per-entry numbers lie flat, chunk after chunk. */
export const entryShape = (chunks: number): [string] => [chunks === 1 ? "E" : `${chunks}*E`];

export function headInputs(graph: Graph, chunks: number): HeadInputs {
  const int64 = (name: string, shape: readonly (number | string)[]) => graph.input(name, "int64", shape);
  return {
    scored: int64("scored", [chunks, "R"]),
    scoredInverse: int64("scored_inverse", ["N"]),
    entryRows: int64("entry_rows", [chunks, "E"]),
    entryTargets: int64("entry_targets", [chunks, "E"]),
    inverseTemperature: graph.input("inverse_temperature", graph.float, []),
    ...(chunks > 1 && { inverseTemperatureAgain: graph.input("inverse_temperature_again", graph.float, []) }),
  };
}

/** The scored tokens' rows. // [N, C] → [chunks · R, C] */
export function takeScored(graph: Graph, x: Value, { scored, scoredInverse }: HeadInputs): Value {
  const rows = takeRows(graph, x, scored, scoredInverse);
  return reshape(graph, rows, [multiplyDims(scored.shape), x.shape[1]!]);
}

/** ln p of each entry's target. // hidden states of scored tokens [chunks · R, C], weight [V, C] → [chunks · E] */
export function entryLogprobs(graph: Graph, hidden: Value, weight: Matrix, inputs: HeadInputs): Value {
  const chunks = inputs.scored.shape[0] as number;
  const channels = hidden.shape[1]!;
  const states = reshape(graph, hidden, [...inputs.scored.shape, channels]);
  const logprobsOf = (chunk: Value, c: number, inverseTemperature: Value) => {
    const logits = product(graph, mul(graph, chunk, inverseTemperature), weight);
    return tokenLogprob(graph, logits, row(graph, inputs.entryRows, c), row(graph, inputs.entryTargets, c));
  };
  if (chunks === 1) return logprobsOf(reshape(graph, states, ["R", channels]), 0, inputs.inverseTemperature);

  const indices = Array.from({ length: chunks }, (_, c) => c);
  const parts = indices.map((c) => row(graph, states, c));
  const logprobs = withoutTape(graph, () => {
    const apart = indices.map((c) => logprobsOf(parts[c]!, c, inputs.inverseTemperature));
    return below(graph, apart, entryShape(chunks));
  });
  const learnt = isQuantized(weight) ? [] : [weight];
  const derive = (d: Value): Value[] => {
    const apart = reshape(graph, d, [chunks, "E"]);
    const pairs = indices.map((c) => {
      const again = logprobsOf(parts[c]!, c, inputs.inverseTemperatureAgain!);
      const weighted = sum(graph, mul(graph, again, row(graph, apart, c)));
      return gradients(graph, weighted, [parts[c]!, ...learnt]) as [Value, ...Value[]];
    });
    const dParts = pairs.map(([dPart]) => dPart);
    const dStates = below(graph, dParts, [multiplyDims([chunks, "R"]), channels]);
    const dWeights = learnt.map(() => pairs.map(([, d]) => d!).reduce((a, b) => add(graph, a, b)));
    return [reshape(graph, dStates, states.shape), ...dWeights];
  };
  graph.record({
    inputs: [states, ...learnt],
    output: logprobs,
    backward: (d) => {
      let all: Value[] | undefined;
      return [states, ...learnt].map((_, which) => () => {
        all ??= derive(d);
        return all[which]!;
      });
    },
  });
  return logprobs;
}

/** Values below each other along the first axis. */
function below(graph: Graph, parts: readonly Value[], shape: Shape): Value {
  return graph.node("Concat", parts, parts[0]!.dtype, shape, { attributes: { axis: { int: 0 } } });
}

/** Row c of the first axis. */
function row(graph: Graph, x: Value, c: number): Value {
  return graph.node("Gather", [x, graph.constant("int64", [], [c])], x.dtype, x.shape.slice(1), {
    attributes: { axis: { int: 0 } },
  });
}
