/**
 * For tests: stage 1 with a scripted model, in this process or, when this file is run, in one that can be killed:
 * `node --import tsx collect-run.test.kit.ts <model folder> <run folder> <milliseconds of an engine call>`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { scriptedPolicy, wordTask } from "../loop/fakes.test.kit.ts";
import { createRunFolder } from "../store/folder-claim.ts";
import { collectRun } from "./collect-run.ts";
import { MulliganConfig } from "./config.ts";
import type { Setup } from "./setup.ts";

/** Files with the names of a model's: what a fingerprint is taken of. */
export async function makeModelFiles(folder: string, files: Record<string, string> = {}): Promise<string> {
  await mkdir(folder, { recursive: true });
  const all = { "model.safetensors": "weights", "config.json": "{}", "tokenizer.json": "{}", ...files };
  for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text);
  return folder;
}

/** 100 problems of which some are always solved, some never, some at times; an engine call takes `delay` ms. */
export function collectSetup(model: string, collect: Partial<MulliganConfig["collect"]> = {}, delay = 0) {
  const task = wordTask(100);
  const { policy, calls } = scriptedPolicy((prompt, seed) => {
    const kind = Number(/q(\d+)/.exec(prompt)![1]) % 3;
    return kind === 0 || (kind === 1 && seed % 2 === 0) ? "yes" : `no ${seed % 9}`;
  });
  const { sample } = policy.engine;
  policy.engine.sample = async (requests, params) => {
    await new Promise((done) => setTimeout(done, delay));
    return sample(requests, params);
  };
  const limits = { tries: 12, maxFailuresPerProblem: 3, ...collect };
  const config = MulliganConfig.parse({ model, task: "words", collect: limits });
  const problems = { train: task.list, validation: [], test: [] };
  const setup = { config, model, policy, task, problems } as unknown as Setup;
  return { setup, calls };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [model, output, delay] = process.argv.slice(2) as [string, string, string];
  const { setup } = collectSetup(model, {}, Number(delay));
  await collectRun(setup, { folder: await createRunFolder(output) });
}
