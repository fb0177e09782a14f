/**
 * What adapters add to the decoder's projections: s·B·(A·x), of q, k and v each to its own part of their common product.
 */
import { add, concat, type Graph, linear, scale, split, type Value } from "../../graph/index.ts";
import type { ModelConfig } from "../config.ts";
import { parameterShapes } from "../parameters.ts";
import { fusedName } from "../tensors.ts";
import { loraNames, loraScale } from "./adapter.ts";

/** A projection's product and its input, to the product with what the adapters add. // [N, out], [N, in] → [N, out] */
export type Adapt = (projection: string, product: Value, x: Value) => Value;

/** The adapters among the tensors, or nothing to add when the config has none. */
export function adaptersOf(graph: Graph, config: ModelConfig, tensors: ReadonlyMap<string, Value>): Adapt {
  const { lora } = config;
  if (!lora) return (_, product) => product;
  const parts = partsOf(config);
  const factor = loraScale(lora);
  return (projection, product, x) => {
    const modules = parts.get(projection)!;
    const adapted = modules.map(({ module }) => {
      const { a, b } = loraNames(module);
      const [down, up] = [tensors.get(a), tensors.get(b)];
      return down && up && linear(graph, scale(graph, linear(graph, x, down), factor), up);
    });
    if (adapted.every((part) => !part)) return product;
    if (modules.length === 1) return add(graph, product, adapted[0]!);
    const rows = modules.map((part) => part.rows);
    const pieces = split(graph, product, 1, rows).map((piece, i) => {
      const part = adapted[i];
      return part ? add(graph, piece, part) : piece;
    });
    return concat(graph, pieces, 1);
  };
}

/** The modules behind each product of the graph, in order, with the rows that they take of it. */
function partsOf(config: ModelConfig): Map<string, { module: string; rows: number }[]> {
  const parts = new Map<string, { module: string; rows: number }[]>();
  for (const { name, shape } of parameterShapes(config)) {
    if (shape.length !== 2) continue;
    const module = name.replace(/\.weight$/, "");
    const projection = fusedName(name).replace(/\.weight$/, "");
    parts.set(projection, [...(parts.get(projection) ?? []), { module, rows: shape[0]! }]);
  }
  return parts;
}
