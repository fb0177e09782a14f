/**
 * What a graph is fed: the parameters, where those that lie side by side and share an input are one tensor, so that
 * they cost one product. Views of the same flat buffer: nothing is copied.
 */
import type { Parameter } from "./parameters.ts";

/** A run of values in the flat buffer under the name of the graph's input. */
export type Tensor = Pick<Parameter, "name" | "shape" | "size" | "offset">;

/** Names of projections that become one, by the name of the whole. */
const FUSED = { qkv_proj: ["q_proj", "k_proj", "v_proj"], gate_up_proj: ["gate_proj", "up_proj"] } as const;
export type Fused = keyof typeof FUSED;

/** All parameters in order, with the given projections fused. */
export function fuseTensors(parameters: readonly Parameter[], fused: readonly Fused[]): Tensor[] {
  const tensors: Tensor[] = [];
  for (const parameter of parameters) {
    const name = fusedName(parameter.name, fused);
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

function fusedName(name: string, fused: readonly Fused[]): string {
  for (const whole of fused) {
    for (const part of FUSED[whole]) {
      if (name.includes(`.${part}.`)) return name.replace(`.${part}.`, `.${whole}.`);
    }
  }
  return name;
}
