/**
 * LoRA (Hu et al. 2021, arXiv 2106.09685): beside the frozen weights W of some projections two small matrices learn,
 * y = W·x + s·B·(A·x). Names, defaults and meaning are PEFT's. Knows parameters, neither graphs nor files.
 */
import { MulliganError } from "../../core/errors.ts";
import { createRng } from "../../core/rng.ts";
import type { LoraConfig, ModelConfig } from "../config.ts";
import { flatSize, layOut, type Parameter, parameterShapes, parameterView } from "../parameters.ts";

/** What learns, in a flat buffer of its own. */
export interface Adapter {
  lora: LoraConfig;
  /** Folder or name of the model that it belongs to, where that is known. */
  base: string | null;
  /** `<module>.lora_A.weight` [r, in] and `<module>.lora_B.weight` [out, r] of each module, in the model's order. */
  parameters: Parameter[];
  flat: Float32Array;
}

/** s. */
export function loraScale({ r, alpha, useRslora }: LoraConfig): number {
  return alpha / (useRslora ? Math.sqrt(r) : r);
}

export const loraNames = (module: string) => ({
  a: `${module}.lora_A.weight`,
  b: `${module}.lora_B.weight`,
});

/** The adapter's parameters. Throws `MulliganError("config")` for a target that names no projection of the model. */
export function loraParameters(config: ModelConfig, lora: LoraConfig): Parameter[] {
  const modules = targetsOf(config, lora.targetModules);
  return layOut(
    modules.flatMap(({ module, shape: [outputs, inputs] }) => {
      const { a, b } = loraNames(module);
      return [
        { name: a, shape: [lora.r, inputs] },
        { name: b, shape: [outputs, lora.r] },
      ];
    }),
  );
}

interface Projection {
  /** Its weight's name without `.weight`. */
  module: string;
  shape: [outputs: number, inputs: number];
}

function targetsOf(config: ModelConfig, targets: LoraConfig["targetModules"]): Projection[] {
  const projections = parameterShapes(config)
    .filter(({ name, shape }) => shape.length === 2 && !/^(model\.embed_tokens|lm_head)\./.test(name))
    .map(({ name, shape }) => ({
      module: name.replace(/\.weight$/, ""),
      shape: shape as Projection["shape"],
    }));
  if (targets === "all-linear") return projections;
  const isNamed = (module: string, target: string) => module === target || module.endsWith(`.${target}`);
  const unknown = targets.find((target) => !projections.some(({ module }) => isNamed(module, target)));
  if (unknown !== undefined || targets.length === 0) {
    const kinds = new Set(projections.map(({ module }) => module.replace(/^.*\./, "")));
    throw new MulliganError(
      "config",
      `LoRA's target modules: must name projections of the model, got ${unknown === undefined ? "none" : `"${unknown}"`}`,
      { hint: `they are ${[...kinds].join(", ")}; all-linear takes them all` },
    );
  }
  return projections.filter(({ module }) => targets.some((target) => isNamed(module, target)));
}

/**
 * A fresh adapter, which changes nothing yet: A is uniform within ±1/√in, B is 0 (PEFT's reset_lora_parameters). Each
 * matrix draws from a stream of its own, forked by name. Throws as loraParameters does.
 */
export function initAdapter(
  config: ModelConfig,
  lora: LoraConfig,
  { seed, base = null }: { seed: number; base?: string | null },
): Adapter {
  const parameters = loraParameters(config, lora);
  const flat = new Float32Array(flatSize(parameters));
  const rng = createRng(seed);
  for (const parameter of parameters) {
    if (!parameter.name.endsWith(".lora_A.weight")) continue;
    const bound = 1 / Math.sqrt(parameter.shape[1]!);
    const { next } = rng.fork(parameter.name);
    const values = parameterView(flat, parameter);
    for (let i = 0; i < values.length; i++) values[i] = bound * (2 * next() - 1);
  }
  return { lora, base, parameters, flat };
}

/** W + s·B·A of a weight that the adapter changes, else undefined. Sums in float64, rounds once. // [out, in] */
export function mergedWeight(
  weight: Parameter,
  values: Float32Array,
  adapter: Adapter,
): Float32Array | undefined {
  const names = loraNames(weight.name.replace(/\.weight$/, ""));
  const matrix = (name: string) => {
    const parameter = adapter.parameters.find((parameter) => parameter.name === name);
    return parameter && parameterView(adapter.flat, parameter);
  };
  const [a, b] = [matrix(names.a), matrix(names.b)];
  if (!a || !b) return undefined;
  const [outputs, inputs] = weight.shape as Projection["shape"];
  const { r } = adapter.lora;
  const scale = loraScale(adapter.lora);
  const merged = new Float32Array(values.length);
  const sums = new Float64Array(inputs);
  for (let o = 0; o < outputs; o++) {
    sums.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = b[o * r + k]! * scale;
      for (let i = 0; i < inputs; i++) sums[i]! += factor * a[k * inputs + i]!;
    }
    for (let i = 0; i < inputs; i++) merged[o * inputs + i] = values[o * inputs + i]! + sums[i]!;
  }
  return merged;
}

/** All weights with the adapter in them, a copy. */
export function mergedWeights(
  parameters: readonly Parameter[],
  flat: Float32Array,
  adapter: Adapter,
): Float32Array {
  const merged = flat.slice();
  for (const parameter of parameters) {
    const values = mergedWeight(parameter, parameterView(flat, parameter), adapter);
    if (values) merged.set(values, parameter.offset);
  }
  return merged;
}
