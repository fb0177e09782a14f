/** Root-mean-square normalisation (Zhang & Sennrich 2019) over the last axis, and its derivative. */
import { type Graph, withoutTape } from "../graph.ts";
import { graphError, type Value } from "../value.ts";
import { add, div, mean, mul, sqrt, sub } from "./arithmetic.ts";
import { sum } from "./broadcast.ts";

/** x / √(mean(x²) + eps) ∘ weight. // [N, C], [C] → [N, C] */
export function rmsNorm(graph: Graph, x: Value, weight: Value, eps: number): Value {
  const channels = x.shape.at(-1)!;
  if (x.shape.length !== 2 || weight.shape.length !== 1 || weight.shape[0] !== channels) {
    throw graphError("rmsNorm", "needs x [N, C] and a weight [C]", x, weight);
  }
  const { output, inverse } =
    graph.float === "float32"
      ? fused(graph, x, weight, eps)
      : withoutTape(graph, () => composed(graph, x, weight, eps));
  graph.record({
    inputs: [x, weight],
    output,
    // With n = x·inverse and g = d∘weight: dx = inverse · (g − n · mean(g∘n)), dweight = Σ_rows d∘n.
    backward: (d) => {
      const normalized = mul(graph, x, inverse);
      return [
        () => {
          const g = mul(graph, d, weight);
          const inner = mean(graph, mul(graph, g, normalized), -1, true);
          return mul(graph, sub(graph, g, mul(graph, normalized, inner)), inverse);
        },
        () => sum(graph, mul(graph, d, normalized), { axes: [0] }),
      ];
    },
  });
  return output;
}

interface Normalized {
  output: Value;
  /** 1 / √(mean(x²) + eps). // [N, 1] */
  inverse: Value;
}

/** The runtime's own kernel; its second output exists in float32 only. */
function fused(graph: Graph, x: Value, weight: Value, eps: number): Normalized {
  const types = [
    { dtype: x.dtype, shape: x.shape },
    { dtype: x.dtype, shape: [x.shape[0]!, 1] },
  ];
  const [output, inverse] = graph.nodeWithOutputs("SimplifiedLayerNormalization", [x, weight], types, {
    attributes: { axis: { int: -1 }, epsilon: { float: eps } },
  });
  return { output: output!, inverse: inverse! };
}

function composed(graph: Graph, x: Value, weight: Value, eps: number): Normalized {
  const meanSquare = mean(graph, mul(graph, x, x), -1, true);
  const inverse = div(graph, graph.scalar(1), sqrt(graph, add(graph, meanSquare, graph.scalar(eps))));
  return { output: mul(graph, mul(graph, x, inverse), weight), inverse };
}
