/**
 * What adapters add to the decoder's projections: s·B·(A·x), of q, k and v each to its own part of their common product.
 */
import { add, concat, type Graph, linear, scale, split, type Value } from "../../graph/index.ts";
import type { ModelConfig } from "../config.ts";
import { parameterShapes } from "../parameters.ts";
import { fuseTensors } from "../tensors.ts";
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
    const adapted = modules.map(({ a, b }) => {
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

/** Of a product of the graph the rows of one module, and the names of the matrices that add to them. */
interface Part {
  rows: number;
  a: string;
  b: string;
}

/**
 * The parts of each product, in order: q, k and v are three modules with one product, Phi-3's gate_up_proj is one with
 * two, which share its A.
 */
function partsOf(config: ModelConfig): Map<string, Part[]> {
  const parts = new Map<string, Part[]>();
  for (const parameter of parameterShapes(config)) {
    if (parameter.shape.length !== 2) continue;
    const { a, b } = loraNames(moduleOf(parameter));
    const products = fuseTensors([parameter]);
    for (const product of products) {
      const name = moduleOf(product);
      const part = { rows: product.shape[0]!, a, b: products.length > 1 ? loraNames(name).b : b };
      parts.set(name, [...(parts.get(name) ?? []), part]);
    }
  }
  return parts;
}

const moduleOf = ({ name }: { name: string }) => name.replace(/\.weight$/, "");
