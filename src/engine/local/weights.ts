/**
 * The model in memory: one flat buffer of parameters with a zero-copy view per tensor, ready to be fed to graphs, and
 * the adapter that learns in their stead where there is one.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_CONFIG } from "../../core/model-folder.ts";
import type { Quantization } from "../../core/quantization.ts";
import type { Feed } from "../../graph/index.ts";
import type { LoraConfig } from "../../model/config.ts";
import { loadModel, loadModelShape, type Model, withAdapter } from "../../model/folder.ts";
import { initAdapter, loraParameters } from "../../model/lora/adapter.ts";
import { loadAdapter, loadAdapterConfig } from "../../model/lora/folder.ts";
import { flatSize, type Parameter } from "../../model/parameters.ts";
import { loadQuantizedModel } from "../../model/quantized/load.ts";
import { quantizedFeeds } from "../../model/quantized/tensors.ts";
import { fuseTensors, type Tensor } from "../../model/tensors.ts";

export type Weights = Model;

/** A PEFT folder, or what a fresh adapter is like. */
export type AdapterSource = string | (LoraConfig & { seed: number });

/** Does a folder hold an adapter, and not a whole model? */
export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, ADAPTER_CONFIG));
}

export interface LoadOptions {
  adapter?: AdapterSource | undefined;
  /** Keep matrices as integers. */
  quantization?: Quantization | undefined;
}

/** Throws what loadModel, loadQuantizedModel and loadAdapter throw. */
export async function loadWeights(
  folder: string,
  { adapter: source, quantization }: LoadOptions = {},
): Promise<Weights> {
  const model = await (quantization ? loadQuantizedModel(folder, quantization) : loadModel(folder));
  if (source === undefined) return model;
  if (typeof source === "string") return withAdapter(model, await loadAdapter(source, model.config));
  const { seed, ...lora } = source;
  return withAdapter(model, initAdapter(model.config, lora, { seed, base: folder }));
}

/** Lengths of the flat buffers of all weights and of those that learn, from the folders' configurations. */
export async function sizesOf(
  folder: string,
  { adapter: source, quantization }: LoadOptions,
): Promise<{ all: number; trained: number }> {
  const { config, size } = await loadModelShape(folder);
  if (source === undefined) return { all: size, trained: quantization ? 0 : size };
  const lora = typeof source === "string" ? (await loadAdapterConfig(source)).lora : source;
  return { all: size, trained: flatSize(loraParameters(config, lora)) };
}

/** The parameters that learn, and their flat buffer: none of a quantised model without an adapter. */
export function trainedOf({ parameters, flat, adapter, quantized }: Weights): {
  parameters: readonly Parameter[];
  flat: Float32Array;
} {
  if (quantized && !adapter) return { parameters: [], flat: new Float32Array(0) };
  return adapter ?? { parameters, flat };
}

/** What graphs are fed of a model but for its adapter. */
export function modelFeeds({ parameters, flat, quantized }: Weights): Record<string, Feed> {
  const matrices = [...(quantized?.matrices ?? [])].map(([name, values]) => quantizedFeeds(name, values));
  return Object.assign(weightFeeds(fuseTensors(parameters), flat), ...matrices);
}

/** Feeds that alias `flat`: an optimiser step in place is seen by the next run. */
export function weightFeeds(tensors: readonly Tensor[], flat: Float32Array): Record<string, Feed> {
  return Object.fromEntries(
    tensors.map(({ name, shape, offset, size }) => [
      name,
      { data: flat.subarray(offset, offset + size), dims: shape },
    ]),
  );
}

/** int64 feed data from small non-negative integers, without a BigInt per number. */
export function int64(numbers: ArrayLike<number>): BigInt64Array {
  const words = new Int32Array(2 * numbers.length);
  for (let i = 0; i < numbers.length; i++) words[2 * i] = numbers[i]!;
  return new BigInt64Array(words.buffer);
}
