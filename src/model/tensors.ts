/**
 * What a graph is fed: the parameters, where query, key and value projections, which lie side by side and share an
 * input, are one tensor, so that they cost one product. Gate and up stay two: cutting their product apart costs as
 * much as a second product, and more for many rows. Views of the same flat buffer: nothing is copied.
 */
import type { Parameter } from "./parameters.ts";

/** A run of values in the flat buffer under the name of the graph's input. */
export type Tensor = Pick<Parameter, "name" | "shape" | "size" | "offset">;

/** The name of the tensor that a parameter is part of. */
export function fusedName(parameter: string): string {
  return parameter.replace(/\.[qkv]_proj\.(weight|bias)$/, ".qkv_proj.$1");
}

/** All parameters in order, projections fused as `qkv_proj`. */
export function fuseTensors(parameters: readonly Parameter[]): Tensor[] {
  const tensors: Tensor[] = [];
  for (const parameter of parameters) {
    const name = fusedName(parameter.name);
    const last = tensors.at(-1);
    if (last?.name === name) {
      last.shape = [last.shape[0]! + parameter.shape[0]!, ...last.shape.slice(1)];
      last.size += parameter.size;
    } else {
      const { shape, size, offset } = parameter;
      tensors.push({ name, shape: [...shape], size, offset });
    }
  }
  return tensors;
}
