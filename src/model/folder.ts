/**
 * A model as a Hugging Face folder: config.json and model.safetensors, or shards with an index. What is saved here
 * loads in transformers, and a save that fails leaves the folder as it was. Knows neither tokenizers nor graphs.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { unwritable, writeAtomic } from "../core/atomic-file.ts";
import { makeFolder, remove, rename, syncFolder } from "../core/disk.ts";
import { MulliganError } from "../core/errors.ts";
import { parseJson, readTextFile } from "../core/json-file.ts";
import { configToJson, type ModelConfig, parseModelConfig } from "./config.ts";
import { type Adapter, mergedWeight } from "./lora/adapter.ts";
import { flatSize, type Parameter, parameterShapes, parameterView } from "./parameters.ts";
import type { QuantizedValues } from "./quantized/quantize.ts";
import type { TensorToWrite } from "./safetensors.ts";
import { type Dtype, showShape, sizeOf } from "./safetensors-header.ts";
import { isWeightFile, openWeights, type WeightFiles, writeWeights } from "./weight-files.ts";

export interface Model {
  config: ModelConfig;
  /** What lies in `flat`: all parameters, or those that are no quantised matrices. */
  parameters: Parameter[];
  /** Weights; `parameters` says where each lies. */
  flat: Float32Array;
  /** Matrices by the names of graphs' inputs, where `config.quantization` says so; `folder` has the whole ones. */
  quantized?: { folder: string; matrices: ReadonlyMap<string, QuantizedValues> };
  /** What learns in their stead; `config.lora` is its shape. */
  adapter?: Adapter;
}

/** The model with its weights frozen and an adapter beside them. */
export function withAdapter(model: Model, adapter: Adapter): Model {
  return { ...model, config: { ...model.config, lora: adapter.lora }, adapter };
}

export interface SaveOptions {
  /** Default F32. */
  dtype?: Dtype;
  /** Split the weights into files of at most so many bytes (a single larger tensor gets its own). Default: 5 GB. */
  maxShardBytes?: number;
  /** Stops before the next tensor is written: nothing of the model is left then. */
  signal?: AbortSignal;
}

/** The default of `save_pretrained` (transformers 4). */
const MAX_SHARD_BYTES = 5e9;

const CONFIG = "config.json";
/** Buffers that old versions of transformers stored beside the weights; all follow from config.json. */
const DERIVED = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;
const TORCH_DTYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/** What a folder's config.json says of its weights, and their number. Throws as loadModel does. */
export async function loadModelShape(folder: string): Promise<{ config: ModelConfig; size: number }> {
  const config = parseModelConfig(await readConfig(folder), join(folder, CONFIG));
  return { config, size: flatSize(parameterShapes(config)) };
}

/**
 * Loads a folder's weights as float32. Throws `MulliganError("model")` when config.json asks for something that is not
 * supported, and `MulliganError("checkpoint")` when a file or tensor is missing, cut off or of another shape.
 */
export async function loadModel(folder: string): Promise<Model> {
  const { config, parameters, read, close } = await openModel(folder);
  try {
    const flat = allocate(join(folder, CONFIG), flatSize(parameters));
    for (const parameter of parameters) await read(parameter, parameterView(flat, parameter));
    return { config, parameters, flat };
  } finally {
    await close();
  }
}

/** A folder's weights, to be read one by one. */
export interface OpenModel {
  config: ModelConfig;
  /** All, in order. */
  parameters: Parameter[];
  read(parameter: Parameter, into?: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Checks what is there, and reads nothing yet. Throws as loadModel does. */
export async function openModel(folder: string): Promise<OpenModel> {
  const { config } = await loadModelShape(folder);
  const parameters = parameterShapes(config);
  const weights = await openWeights(folder);
  try {
    checkTensors(weights, parameters, config);
  } catch (error) {
    await weights.close();
    throw error;
  }
  return {
    config,
    parameters,
    async read({ name, shape }, into = new Float32Array(sizeOf(shape))) {
      await weights.files.get(name)!.read(name, { shape, hint: shapeHint(name, config), into });
      if (config.tieWordEmbeddings && name === parameters[0]!.name) {
        await checkTiedHead(weights, parameters[0]!, into);
      }
      return into;
    },
    close: weights.close,
  };
}

/**
 * Writes config.json and the weights, an adapter merged into them, replacing a model that is there; other files (tokenizer) stay.
 * Of a quantised model the whole weights are written, read again from where they came. Throws `MulliganError("io")`.
 */
export async function saveModel(folder: string, model: Model, options: SaveOptions = {}): Promise<void> {
  const { config, parameters, flat, adapter, quantized } = model;
  // merged when it is written, so that there is no second copy of the model
  const merged = (p: Parameter, own: Float32Array) => {
    options.signal?.throwIfAborted();
    return (adapter && mergedWeight(p, own, adapter)) ?? own;
  };
  if (!quantized) {
    const tensors = parameters.map((p) => ({ ...p, data: () => merged(p, parameterView(flat, p)) }));
    return writeModel(folder, config, tensors, options);
  }
  const whole = await openModel(quantized.folder);
  try {
    const tensors = whole.parameters.map((p) => ({ ...p, data: async () => merged(p, await whole.read(p)) }));
    await writeModel(folder, config, tensors, options);
  } finally {
    await whole.close();
  }
}

async function writeModel(
  folder: string,
  config: ModelConfig,
  tensors: readonly TensorToWrite[],
  { dtype = "F32", maxShardBytes = MAX_SHARD_BYTES }: SaveOptions,
): Promise<void> {
  const { dtype: _, ...json } = configToJson(config);
  // Everything is written beside its place first: what follows is renames, with config.json last.
  const staging = join(folder, ".saving");
  let isNew = false;
  try {
    isNew = (await makeFolder(folder)) !== undefined;
    await remove(staging);
    await makeFolder(staging);
    const written = await writeWeights(staging, tensors, { dtype, maxShardBytes });
    const text = JSON.stringify({ ...json, torch_dtype: TORCH_DTYPES[dtype] }, null, 2);
    await writeAtomic(join(staging, CONFIG), `${text}\n`);
    for (const file of [...written, CONFIG]) await rename(join(staging, file), join(folder, file));
    const stale = (await readdir(folder)).filter((file) => isWeightFile(file) && !written.includes(file));
    for (const file of stale) await remove(join(folder, file));
    await remove(staging);
    await syncFolder(folder);
  } catch (cause) {
    await remove(isNew ? folder : staging).catch(() => {});
    throw cause instanceof MulliganError ? cause : unwritable(folder, cause);
  }
}

async function readConfig(folder: string): Promise<unknown> {
  const path = join(folder, CONFIG);
  const text = await readTextFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new MulliganError("checkpoint", `${path}: cannot be read (${cause.code ?? cause.message})`, {
      hint: "a model is a folder with config.json and model.safetensors, as transformers' save_pretrained makes it",
      cause,
    });
  });
  try {
    return parseJson(text);
  } catch (cause) {
    throw new MulliganError("model", `${path}: must be JSON (${(cause as Error).message})`, { cause });
  }
}

/** Every parameter is there as the config says, before there is memory for it; and nothing that the model would silently leave out. */
function checkTensors(
  { path, files }: WeightFiles,
  parameters: readonly Parameter[],
  config: ModelConfig,
): void {
  for (const { name, shape } of parameters) {
    const hint = shapeHint(name, config);
    const file = files.get(name);
    if (file) file.check(name, { shape, hint });
    else {
      const missing = `tensor "${name}" is missing, expected shape ${showShape(shape)}`;
      throw new MulliganError("checkpoint", `${path}: ${missing}`, { hint });
    }
  }
  const known = new Set(parameters.map(({ name }) => name)).add("lm_head.weight");
  for (const name of files.keys()) {
    if (known.has(name) || DERIVED.test(name)) continue;
    throw new MulliganError("checkpoint", `${path}: tensor "${name}" is not part of the model`, {
      hint: shapeHint(name, config),
    });
  }
}

/** Some tools store the shared matrix twice; a head that differs would make another model. */
async function checkTiedHead(
  weights: WeightFiles,
  embedding: Parameter,
  expected: Float32Array,
): Promise<void> {
  const name = "lm_head.weight";
  const file = weights.files.get(name);
  if (!file) return;
  const head = await file.read(name, { shape: embedding.shape });
  const at = head.findIndex((value, i) => !Object.is(value, expected[i]));
  if (at === -1) return;
  const rule = `must equal ${embedding.name}, got ${head[at]} for ${expected[at]}`;
  throw new MulliganError("checkpoint", `${file.path}: tensor "${name}" ${rule}`, {
    hint: "config.json says tie_word_embeddings = true; set it to false to use the head of the file",
  });
}

/** The fields of config.json that a tensor's presence and shape follow from. */
function shapeHint(name: string, config: ModelConfig): string {
  const { hiddenSize, vocabSize, tieWordEmbeddings, attentionBias, mlpBias } = config;
  const says = (fields: Readonly<Record<string, unknown>>) => {
    const list = Object.entries(fields).map(([field, value]) => `${field} = ${value}`);
    return `config.json says ${list.join(", ")}; the checkpoint was made with other values`;
  };
  const layer = Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? 0);
  if (layer >= config.layers) return says({ num_hidden_layers: config.layers });
  if (name.endsWith(".bias")) {
    return says({ model_type: config.family, attention_bias: attentionBias, mlp_bias: mlpBias });
  }
  if (name === "lm_head.weight") {
    return says({ tie_word_embeddings: tieWordEmbeddings, vocab_size: vocabSize, hidden_size: hiddenSize });
  }
  if (name === "model.embed_tokens.weight") return says({ vocab_size: vocabSize, hidden_size: hiddenSize });
  if (name.includes(".mlp."))
    return says({ hidden_size: hiddenSize, intermediate_size: config.intermediateSize });
  const { family, heads, kvHeads, headSize } = config;
  if (!name.includes(".self_attn.")) return says({ model_type: family, hidden_size: hiddenSize });
  return says({
    hidden_size: hiddenSize,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headSize,
  });
}

function allocate(where: string, values: number): Float32Array {
  try {
    return new Float32Array(values);
  } catch (cause) {
    const gigabytes = (values * 4) / 2 ** 30;
    throw new MulliganError(
      "model",
      `${where}: the weights take ${gigabytes.toFixed(1)} GiB of memory as float32`,
      {
        hint: "use a smaller model",
        cause,
      },
    );
  }
}
