/** Loads a folder with its matrices as integers: one at a time is float32 while it is read. */
import { MulliganError } from "../../core/errors.ts";
import type { Quantization } from "../../core/quantization.ts";
import { NIBBLE_BLOCK } from "../../graph/index.ts";
import type { ModelConfig } from "../config.ts";
import { type Model, type OpenModel, openModel } from "../folder.ts";
import { flatSize, parameterShapes, parameterView } from "../parameters.ts";
import type { Tensor } from "../tensors.ts";
import { type QuantizedValues, quantize } from "./quantize.ts";
import { bitsOf, matricesOf } from "./tensors.ts";

/** Throws what loadModel throws, and `MulliganError("model")` for a width that 4-bit blocks do not divide. */
export async function loadQuantizedModel(folder: string, quantization: Quantization): Promise<Model> {
  const file = await openModel(folder);
  try {
    requireBlocks(file.config, quantization, folder);
    const parameters = parameterShapes(file.config, { matrices: false });
    const flat = new Float32Array(flatSize(parameters));
    for (const parameter of parameters) await file.read(parameter, parameterView(flat, parameter));
    const matrices = new Map<string, QuantizedValues>();
    for (const tensor of matricesOf(file.config)) {
      const weights = await readMatrix(file, tensor);
      matrices.set(tensor.name, quantize(weights, tensor.shape[1]!, bitsOf(quantization, tensor.name)));
    }
    return { config: { ...file.config, quantization }, parameters, flat, quantized: { folder, matrices } };
  } finally {
    await file.close();
  }
}

function requireBlocks(config: ModelConfig, quantization: Quantization, folder: string): void {
  for (const { name, shape } of matricesOf(config)) {
    const inputs = shape[1]!;
    if (bitsOf(quantization, name) === 8 || inputs % NIBBLE_BLOCK === 0) continue;
    throw new MulliganError(
      "model",
      `${folder}: int4 needs matrices whose width is a multiple of ${NIBBLE_BLOCK}, got ${inputs} for "${name}"`,
      { hint: "use int8" },
    );
  }
}

/** The parameters, or the part of one, that graphs take as one matrix (tensors.ts). */
async function readMatrix({ parameters, read }: OpenModel, { offset, size }: Tensor): Promise<Float32Array> {
  const weights = new Float32Array(size);
  for (const parameter of parameters) {
    const start = parameter.offset - offset;
    if (start >= size || start + parameter.size <= 0) continue;
    if (start >= 0 && start + parameter.size <= size) {
      await read(parameter, weights.subarray(start, start + parameter.size));
    } else {
      weights.set((await read(parameter)).subarray(-start, size - start));
    }
  }
  return weights;
}
