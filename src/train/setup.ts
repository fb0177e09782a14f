/** Opens what a configuration names: the model on the local engine, its chat, the task, and the problems to use. */
import { existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MulliganError } from "../core/errors.ts";
import type { Problem, Split, Task } from "../core/task.ts";
import type { Engine } from "../engine/contract.ts";
import { createLocalEngine } from "../engine/local/local-engine.ts";
import { openPolicy } from "../loop/policy.ts";
import { loadTask } from "../tasks/load-task.ts";
import type { MulliganConfig } from "./config.ts";

export interface Setup {
  config: MulliganConfig;
  /** Hugging Face folder that the engine started from. */
  model: string;
  policy: Awaited<ReturnType<typeof openPolicy<Engine>>>;
  task: Task;
  close(): Promise<void>;
}

/** The shipped models, beside dist/ and src/ in the package. */
const SHIPPED = fileURLToPath(new URL("../../models", import.meta.url));

/** A shipped model's name or a folder, as a folder. Throws `MulliganError("checkpoint")`. */
export function modelFolder(model: string): string {
  const shipped = join(SHIPPED, model);
  if (!/[/\\]/.test(model) && existsSync(join(shipped, "config.json"))) return shipped;
  if (existsSync(join(model, "config.json"))) return resolve(model);
  throw new MulliganError(
    "checkpoint",
    `model: must be a Hugging Face folder or a shipped model, got "${model}"`,
    {
      hint: `"mini" is shipped; a folder holds config.json, model.safetensors and tokenizer.json`,
    },
  );
}

/** Opens task, engine and chat. `checkpoint` = a folder of weights to use instead of the model's own. */
export async function openSetup(config: MulliganConfig, checkpoint?: string): Promise<Setup> {
  const model = modelFolder(config.model);
  const task = await loadTask(config.task, config.taskOptions);
  const engine = await createLocalEngine(checkpoint ?? model, { threads: config.threads });
  try {
    return { config, model, policy: await openPolicy(engine, model), task, close: () => engine.close() };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** The first `count` problems of a split. Throws `MulliganError("data")` when it has none. */
export async function problemsOf(task: Task, split: Split, count: number): Promise<readonly Problem[]> {
  const problems = (await task.problems(split)).slice(0, count);
  if (problems.length > 0) return problems;
  throw new MulliganError("data", `task "${task.name}": the ${split} split must have problems, got none`, {
    hint: `give the task rows for ${split}, or more rows to split`,
  });
}

const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
];

/** The engine's weights with the tokenizer they belong to: a folder that transformers, vLLM and llama.cpp load. */
export async function exportModel({ policy, model }: Setup, folder: string): Promise<void> {
  await policy.engine.saveWeights(folder);
  for (const name of TOKENIZER_FILES) {
    if (existsSync(join(model, name))) await copyFile(join(model, name), join(folder, name));
  }
}
