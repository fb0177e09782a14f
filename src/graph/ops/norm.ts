/** Root-mean-square normalisation (Zhang & Sennrich 2019) over the last axis, and its derivative. */
import { type Graph, withoutTape } from "../graph.ts";
import { graphError, type Value } from "../value.ts";
import { add, div, mean, mul, sqrt, sub } from "./arithmetic.ts";
import { reshape, sum } from "./broadcast.ts";
import { matmul } from "./matmul.ts";

/** x / √(mean(x²) + eps) ∘ weight. // [N, C], [C] → [N, C] */
export function rmsNorm(graph: Graph, x: Value, weight: Value, eps: number): Value {
  const channels = weight.shape[0];
  if (
    x.shape.length !== 2 ||
    weight.shape.length !== 1 ||
    typeof channels !== "number" ||
    x.shape[1] !== channels
  ) {
    throw graphError("rmsNorm", "needs x [N, C] and a weight [C]", x, weight);
  }
  const { output, inverse } =
    graph.float === "float32"
      ? fused(graph, x, weight, eps)
      : withoutTape(graph, () => composed(graph, x, weight, eps));
  graph.record({
    inputs: [x, weight],
    output,
    // With e = d·inverse: dweight = Σ_rows e∘x, dx = e∘weight − x · inverse² · mean(e∘x∘weight). In this order fewest
    // products are of full size: the mean is one product with a vector.
    backward: (d) => {
      const scaled = mul(graph, d, inverse);
      const product = mul(graph, scaled, x);
      return [
        () => {
          const inner = matmul(graph, product, reshape(graph, weight, [channels, 1]));
          const share = mul(graph, graph.scalar(1 / channels), mul(graph, inverse, inverse));
          return sub(graph, mul(graph, scaled, weight), mul(graph, x, mul(graph, inner, share)));
        },
        () => sum(graph, product, { axes: [0] }),
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
