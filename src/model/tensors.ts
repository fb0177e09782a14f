/**
 * What a graph is fed: the parameters, where query, key and value projections, which lie side by side and share an
 * input, are one tensor, so that they cost one product. Gate and up stay two: cutting their product apart costs as
 * much as a second product, and more for many rows; what a file holds as one (Phi-3) is fed as two. Views of the same
 * flat buffer: nothing is copied.
 */
import type { Parameter } from "./parameters.ts";

/** A run of values in the flat buffer under the name of the graph's input. */
export type Tensor = Pick<Parameter, "name" | "shape" | "size" | "offset">;

/** All parameters in order, projections fused as `qkv_proj`, `gate_up_proj` cut in two. */
export function fuseTensors(parameters: readonly Parameter[]): Tensor[] {
  const tensors: Tensor[] = [];
  for (const parameter of parameters.flatMap(cutGateUp)) {
    const name = parameter.name.replace(/\.[qkv]_proj\.(weight|bias)$/, ".qkv_proj.$1");
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

/** Gate's rows come first; an adapter's A serves both. // [2I, C] → [I, C], [I, C] */
function cutGateUp(whole: Tensor): Tensor[] {
  if (!/\.gate_up_proj\.(?!lora_A\.)/.test(whole.name)) return [whole];
  const shape = whole.shape.with(0, whole.shape[0]! / 2);
  const size = whole.size / 2;
  return ["gate_proj", "up_proj"].map((name, i) => ({
    name: whole.name.replace("gate_up_proj", name),
    shape,
    size,
    offset: whole.offset + i * size,
  }));
}
