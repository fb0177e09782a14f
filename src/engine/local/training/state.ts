/**
 * What learns and its optimiser state in a folder: config.json and model.safetensors as Hugging Face reads them, or an
 * adapter as PEFT reads it, plus optimizer.safetensors with AdamW's moments under the parameters' names. Whole or not at all.
 */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { writeAtomic, writeFolder } from "../../../core/atomic-file.ts";
import { MulliganError } from "../../../core/errors.ts";
import { readJsonFile } from "../../../core/json-file.ts";
import type { ModelConfig } from "../../../model/config.ts";
import { loadModel, saveModel } from "../../../model/folder.ts";
import { loadAdapter, saveAdapter } from "../../../model/lora/folder.ts";
import { openSafetensors, writeSafetensors } from "../../../model/safetensors.ts";
import { trainedOf, type Weights } from "../weights.ts";
import type { AdamState } from "./adamw.ts";

const MOMENTS = ["m", "v"] as const;

/** Steps taken; also the file that tells a training state from another folder. */
const STEP = "optimizer.json";

/** Replaces a training state that is there, and nothing else. Throws `MulliganError("io")`. */
export async function saveTrainingState(folder: string, weights: Weights, adam: AdamState): Promise<void> {
  const target = resolve(folder);
  await requireReplaceable(target);
  await writeFolder(target, (temporary) => fillState(temporary, weights, adam));
}

async function fillState(folder: string, weights: Weights, adam: AdamState): Promise<void> {
  if (weights.adapter) await saveAdapter(folder, weights.adapter);
  else await saveModel(folder, weights);
  const moments = trainedOf(weights).parameters.flatMap(({ name, shape, offset, size }) =>
    MOMENTS.map((part) => ({
      name: `${part}.${name}`,
      shape,
      data: adam[part].subarray(offset, offset + size),
    })),
  );
  await writeSafetensors(join(folder, "optimizer.safetensors"), moments);
  await writeAtomic(join(folder, STEP), `${JSON.stringify({ step: adam.step })}\n`);
}

/** Saving removes what was in the folder: that may be an older state, never a user's files. */
async function requireReplaceable(folder: string): Promise<void> {
  const files = await readdir(folder).catch((): string[] => []);
  if (files.length === 0 || files.includes(STEP)) return;
  throw new MulliganError(
    "io",
    `${folder}: must be a new or empty folder or an older training state, got other files`,
    { hint: "choose another folder" },
  );
}

/** Into the engine's own buffers. Nothing changes unless everything could be read. Throws `MulliganError("checkpoint")`. */
export async function loadTrainingState(folder: string, weights: Weights, adam: AdamState): Promise<void> {
  const { parameters, flat } = trainedOf(weights);
  const saved = await loadTrained(folder, weights);
  const step = await readStep(folder);
  const moments = { m: new Float32Array(adam.m.length), v: new Float32Array(adam.v.length) };
  const file = await openSafetensors(join(folder, "optimizer.safetensors"));
  try {
    for (const { name, shape, offset, size } of parameters) {
      for (const part of MOMENTS) {
        await file.read(`${part}.${name}`, { shape, into: moments[part].subarray(offset, offset + size) });
      }
    }
  } finally {
    await file.close();
  }
  flat.set(saved);
  adam.m.set(moments.m);
  adam.v.set(moments.v);
  adam.step = step;
}

/** The values of what learns. Throws when the folder holds something else. */
async function loadTrained(folder: string, { config, adapter }: Weights): Promise<Float32Array> {
  const other = (what: string) =>
    new MulliganError("checkpoint", `${folder}: holds another ${what} than the engine's`, {
      hint: `resume with the ${what} that the run was started with`,
    });
  if (adapter) {
    const saved = await loadAdapter(folder, config);
    if (!isDeepStrictEqual(saved.lora, adapter.lora)) throw other("adapter");
    return saved.flat;
  }
  const saved = await loadModel(folder);
  // The parameters follow from the config, and what is computed with them (theta, eps) is in it too.
  const meaning = (of: ModelConfig) => JSON.stringify({ ...of, json: null });
  if (meaning(saved.config) !== meaning(config)) throw other("model");
  return saved.flat;
}

async function readStep(folder: string): Promise<number> {
  const path = join(folder, STEP);
  try {
    const { step } = Object(await readJsonFile(path)) as { step?: unknown };
    if (Number.isSafeInteger(step) && (step as number) >= 0) return step as number;
    throw new Error(`"step" must be a whole number, got ${JSON.stringify(step)}`);
  } catch (cause) {
    throw new MulliganError("checkpoint", `${path}: cannot be read (${(cause as Error).message})`, { cause });
  }
}
