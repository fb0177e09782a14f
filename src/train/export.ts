/** Models for other programs: weights in one of several forms, with the tokenizer that they belong to. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { unwritable, writeFolder, writeWhole } from "../core/atomic-file.ts";
import { MulliganError } from "../core/errors.ts";
import { MAX_TEXT_BYTES, readBounded } from "../core/json-file.ts";
import { FILES_BESIDE_WEIGHTS } from "../core/model-folder.ts";
import { type ExportOptions, exportWeights } from "../engine/index.ts";
import type { MulliganConfig } from "./config.ts";
import { weightsOf } from "./engine-options.ts";
import { findModel, type Setup, type SetupOptions } from "./setup.ts";

/**
 * The engine's weights with their tokenizer: a folder that transformers, vLLM and llama.cpp's converter load, replaced as a
 * whole. Throws `MulliganError("io")`.
 */
export async function exportModel({ policy, model }: Setup, folder: string): Promise<void> {
  await writeFolder(folder, async (partial) => {
    await policy.engine.saveWeights(partial);
    await copyTokenizer(model, partial);
  });
}

/**
 * The configuration's model, or a checkpoint of it, into a new or empty folder, whole or not at all. Throws `MulliganError("io")` when there
 * are other files, the signal's reason, and what loading and saving throw.
 */
export async function exportCheckpoint(
  settings: MulliganConfig,
  folder: string,
  { checkpoint, onHubEvent, signal, ...form }: ExportOptions & Omit<SetupOptions, "splits">,
): Promise<void> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw unwritable(folder, error);
  });
  if (files.length > 0) {
    throw new MulliganError("io", `output: must be a new or empty folder, got "${folder}"`, {
      hint: "choose another folder with --output",
    });
  }
  const { folder: model } = await findModel(settings.model, { onEvent: onHubEvent, signal });
  // a fresh adapter changes nothing
  const source = weightsOf({ ...settings, loraR: 0 }, model, checkpoint);
  try {
    await writeFolder(folder, async (partial) => {
      await exportWeights(source, partial, { ...form, ...(signal && { signal }) });
      await copyTokenizer(model, partial);
      signal?.throwIfAborted();
    });
  } catch (error) {
    signal?.throwIfAborted(); // not that a folder could not be written
    throw error;
  }
}

async function copyTokenizer(from: string, to: string): Promise<void> {
  for (const name of FILES_BESIDE_WEIGHTS) {
    if (!existsSync(join(from, name))) continue;
    const bytes = await readBounded(join(from, name), MAX_TEXT_BYTES);
    await writeWhole(join(to, name), (write) => write(bytes));
  }
}
