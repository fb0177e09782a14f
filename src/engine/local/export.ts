/** A model or an adapter in the forms that other programs load. Needs no engine: weights in, files out. */
import { join } from "node:path";
import { writeAtomic } from "../../core/atomic-file.ts";
import { makeFolder } from "../../core/disk.ts";
import { MulliganError } from "../../core/errors.ts";
import { readTextFile } from "../../core/json-file.ts";
import { saveModel } from "../../model/folder.ts";
import { saveAdapter } from "../../model/lora/folder.ts";
import { saveOnnx } from "../../model/onnx-file.ts";
import type { Dtype } from "../../model/safetensors-header.ts";
import { type AdapterSource, loadWeights } from "./weights.ts";

/** safetensors: a Hugging Face folder, an adapter merged in. adapter: PEFT's. onnx: `onnx/model.onnx`, as Optimum lays it out. */
export const EXPORT_FORMATS = ["safetensors", "adapter", "onnx"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Of safetensors; the others are float32. */
export const EXPORT_DTYPES = ["float32", "bfloat16", "float16"] as const;
export type ExportDtype = (typeof EXPORT_DTYPES)[number];

const DTYPES: Record<ExportDtype, Dtype> = { float32: "F32", bfloat16: "BF16", float16: "F16" };

export interface ExportOptions {
  format: ExportFormat;
  dtype: ExportDtype;
  /** Stops between two tensors of safetensors, before and after all else. */
  signal?: AbortSignal;
}

/** Throws the signal's reason, what loadWeights throws, `MulliganError("config")` where there is no adapter to export, and "io". */
export async function exportWeights(
  { weights, adapter: source }: { weights: string; adapter?: AdapterSource },
  folder: string,
  { format, dtype, signal }: ExportOptions,
): Promise<void> {
  if (format !== "safetensors" && dtype !== "float32") {
    throw new MulliganError("config", `dtype: must be float32 for the format ${format}, got ${dtype}`, {
      hint: "leave --dtype out, or export safetensors",
    });
  }
  await makeFolder(folder);
  signal?.throwIfAborted();
  const model = await loadWeights(weights, { adapter: source });
  signal?.throwIfAborted();
  if (format === "safetensors")
    return saveModel(folder, model, { dtype: DTYPES[dtype], ...(signal && { signal }) });
  if (format === "onnx") {
    await saveOnnx(join(folder, "onnx"), model);
    return writeAtomic(join(folder, "config.json"), await readTextFile(join(weights, "config.json")));
  }
  if (!model.adapter) {
    throw new MulliganError(
      "config",
      `format: adapter needs a run that trained one (--lora-r), got ${weights}`,
      {
        hint: "--format safetensors exports the weights",
      },
    );
  }
  return saveAdapter(folder, model.adapter);
}
