/**
 * Weights and optimiser state in a folder: config.json and model.safetensors as Hugging Face reads them, plus
 * optimizer.safetensors with AdamW's moments under the parameters' names. Whole or not at all.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MulliganError } from "../../core/errors.ts";
import { loadModel, saveModel } from "../../model/folder.ts";
import { openSafetensors, writeSafetensors } from "../../model/safetensors.ts";
import type { AdamState } from "./adamw.ts";
import type { Weights } from "./weights.ts";

const MOMENTS = ["m", "v"] as const;

export async function saveTrainingState(folder: string, weights: Weights, adam: AdamState): Promise<void> {
  const temporary = `${folder}.partial`;
  const old = `${folder}.old`;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    await saveModel(temporary, weights);
    const moments = weights.parameters.flatMap(({ name, shape, offset, size }) =>
      MOMENTS.map((part) => ({
        name: `${part}.${name}`,
        shape,
        data: adam[part].subarray(offset, offset + size),
      })),
    );
    await writeSafetensors(join(temporary, "optimizer.safetensors"), moments);
    await writeFile(join(temporary, "optimizer.json"), `${JSON.stringify({ step: adam.step })}\n`);
    await rm(old, { recursive: true, force: true });
    await rename(folder, old).catch(() => {});
    await rename(temporary, folder);
    await rm(old, { recursive: true, force: true });
  } catch (cause) {
    if (cause instanceof MulliganError) throw cause;
    throw new MulliganError(
      "io",
      `${folder}: the training state cannot be written (${(cause as Error).message})`,
      {
        hint: "check that the folder is writable and the disk has room",
        cause,
      },
    );
  }
}

/** Into the engine's own buffers. Nothing changes unless everything could be read. */
export async function loadTrainingState(folder: string, weights: Weights, adam: AdamState): Promise<void> {
  const saved = await loadModel(folder);
  const layout = (of: Pick<Weights, "parameters">) => JSON.stringify(of.parameters);
  if (layout(saved) !== layout(weights)) {
    throw new MulliganError("checkpoint", `${folder}: holds another model than the engine's`, {
      hint: "resume with the model that the run was started with",
    });
  }
  const step = await readStep(folder);
  const moments = { m: new Float32Array(adam.m.length), v: new Float32Array(adam.v.length) };
  const file = await openSafetensors(join(folder, "optimizer.safetensors"));
  try {
    for (const { name, shape, offset, size } of weights.parameters) {
      for (const part of MOMENTS) {
        await file.read(`${part}.${name}`, { shape, into: moments[part].subarray(offset, offset + size) });
      }
    }
  } finally {
    await file.close();
  }
  weights.flat.set(saved.flat);
  adam.m.set(moments.m);
  adam.v.set(moments.v);
  adam.step = step;
}

async function readStep(folder: string): Promise<number> {
  const path = join(folder, "optimizer.json");
  try {
    const { step } = JSON.parse(await readFile(path, "utf8")) as { step?: unknown };
    if (Number.isInteger(step) && (step as number) >= 0) return step as number;
    throw new Error(`"step" must be a whole number, got ${JSON.stringify(step)}`);
  } catch (cause) {
    throw new MulliganError("checkpoint", `${path}: cannot be read (${(cause as Error).message})`, { cause });
  }
}
