/**
 * Is the memory that a run is said to need what it takes? Plans a step's sampling and training, takes two such steps with
 * made-up tokens, and compares with the most that the process ever held. One JSON line.
 *
 * npx tsx bench/memory-plan.ts --model models/mini [--lora-r 16] [--gradient-checkpointing on] [--groups 8] [--prefix 250]
 */
import { resolve } from "node:path";
import type { Datum } from "../src/core/datum.ts";
import { createLocalEngine } from "../src/engine/index.ts";
import { planModel } from "../src/engine/local/memory-plan.ts";
import { argument, closeEngine, peakMebibytes } from "./common.ts";

const model = resolve(argument("model", "models/mini"));
const r = Number(argument("lora-r", "0"));
const [groups, rows] = [Number(argument("groups", "8")), Number(argument("rows", "8"))];
const [prefix, completion] = [Number(argument("prefix", "250")), Number(argument("completion", "64"))];
const threads = Number(argument("threads", "2"));
const maxTokensPerRun = Number(argument("max-tokens-per-run", "1024"));
const gradientCheckpointing = argument("gradient-checkpointing", "off") === "on";
const adapter = { r, alpha: 32, useRslora: false, targetModules: "all-linear" as const, seed: 0 };
const options = {
  ...{ threads, maxTokensPerRun, gradientCheckpointing },
  ...(r > 0 && { adapter }),
};
const shape = { groups, rowsPerGroup: rows, shared: prefix, own: completion };
const { parts, peak } = await planModel(model, options, {
  loss: { name: "ppo" },
  trained: shape,
  sampled: [shape],
});
const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);

const engine = await createLocalEngine(model, options);
const memory: Record<string, number> = { load: peakMebibytes() };
const promptOf = (g: number) => Array.from({ length: prefix }, (_, t) => 10 + ((g + t) % 150));
const started = performance.now();
for (let step = 0; step < Number(argument("steps", "2")); step++) {
  const requests = Array.from({ length: groups * rows }, (_, i) => ({
    prompt: promptOf(Math.floor(i / rows)),
    seed: i,
  }));
  const maxTokens = Number(argument("sampled", String(completion)));
  await engine.sample(requests, { maxTokens, temperature: 1, topP: 1, topK: 0, stop: [] });
  memory[`sample ${step}`] = peakMebibytes();
  const data = requests.map(({ prompt }, i): Datum => {
    const full = [...prompt, ...Array.from({ length: completion }, (_, t) => 10 + ((7 * i + t * t) % 150))];
    const perToken = (value: number) => new Float32Array(full.length - 1).fill(value, prefix - 1);
    const [tokens, targets] = [Int32Array.from(full.slice(0, -1)), Int32Array.from(full.slice(1))];
    return { tokens, targets, logprobs: perToken(-5), advantages: perToken(i % 2 ? 1e-3 : -1e-3) };
  });
  await engine.forwardBackward(data, { name: "ppo", clipLow: 0.8, clipHigh: 1.2 });
  const adam = { learningRate: 1e-6, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };
  await engine.optimStep(adam);
  memory[`train ${step}`] = peakMebibytes();
}
const seconds = (performance.now() - started) / 1000;
await closeEngine(engine);
console.log(
  JSON.stringify({
    bench: "memory-plan",
    ...{
      model: argument("model", "models/mini"),
      r,
      groups,
      rows,
      prefix,
      completion,
      gradientCheckpointing,
    },
    planned: mebibytes(peak),
    measured: peakMebibytes(),
    ratio: Number((mebibytes(peak) / peakMebibytes()).toFixed(3)),
    memory,
    seconds: Math.round(seconds),
    parts: Object.fromEntries(parts.map(({ name, bytes }) => [name, mebibytes(bytes)])),
  }),
);
