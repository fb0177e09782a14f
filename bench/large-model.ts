/**
 * Does a model of a real shape fit, and how fast is it? Collects failures, takes one Reflect-Retry-Reward step with an
 * adapter and saves, as `mulligan train` does it. One JSON line; memory is the most held up to the end of each phase.
 *
 * npm run bench:real-shape; or, for a checkpoint that is there,
 * PROMPT_TOKENS=200 npx tsx bench/large-model.ts --model runs/qwen2.5-0.5b [--failures 8] [--profile on]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Metrics } from "../src/learn/metric-names.ts";
import { createRunFolder } from "../src/store/folder-claim.ts";
import { collectRun } from "../src/train/collect-run.ts";
import { MulliganConfig } from "../src/train/config.ts";
import { openSetup } from "../src/train/setup.ts";
import { train } from "../src/train/trainer.ts";
import { argument, closeEngine, peakMebibytes } from "./common.ts";

const failures = Number(argument("failures", "8"));
const config = MulliganConfig.parse({
  model: argument("model", ""),
  task: fileURLToPath(new URL("parity-task.ts", import.meta.url)),
  ...{ loraR: Number(argument("lora-r", "16")), beta: 0.01, learningRate: 1e-4 },
  ...{ maxSteps: 1, failuresPerStep: failures, numGenerations: 8 },
  ...{ maxAttemptLength: 32, maxCompletionLength: 64, threads: Number(argument("threads", "2")) },
  profile: argument("profile", "off") === "on",
  collect: { maxProblems: 4 * failures, maxFailures: failures },
  eval: { steps: 0 },
});

const memory: Record<string, number> = {};
const seconds: Record<string, number> = {};
async function phase<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  seconds[name] = Math.round(performance.now() - start) / 1000;
  memory[name] = peakMebibytes();
  console.error(`${name}: ${seconds[name]} s, peak ${memory[name]} MiB`);
  return result;
}

const dir = await mkdtemp(join(tmpdir(), "mulligan-large-"));
const setup = await phase("load", () => openSetup(config, { splits: ["train"] }));
const folder = await createRunFolder(dir);
const collection = await phase("collect", () => collectRun(setup, { folder }));
let metrics: Metrics = {};
await phase("train", async () => {
  for await (const event of train({ ...setup, failures: collection.failures, folder })) {
    if (event.type === "step") metrics = event.metrics;
  }
});
await phase("save", () => setup.policy.engine.saveWeights(join(dir, "model")));
await closeEngine(setup.policy.engine);
await rm(dir, { recursive: true });
const { parameters, threads } = setup.policy.engine.info;
console.log(
  JSON.stringify({ bench: "large-model", parameters, threads, failures, seconds, memory, metrics }),
);
