/**
 * What do integers for the base's matrices cost and gain? Decodes rows of random prompts, then takes a training step with an
 * adapter on what was sampled, whose log-probabilities say how far sampler and trainer are apart. One JSON line; seconds are
 * those of the process's computing.
 *
 * npx tsx bench/quantization.ts --model /tmp/smollm2-135m --quantization int8 [--rows 1,8,64] [--new 16] [--prefix 128] [--rounds 3]
 */
import { setTimeout } from "node:timers/promises";
import type { Datum } from "../src/core/datum.ts";
import { median } from "../src/core/median.ts";
import { QUANTIZATIONS } from "../src/core/quantization.ts";
import { createLocalEngine } from "../src/engine/index.ts";
import { argument, closeEngine, peakMebibytes } from "./common.ts";

const NEW = Number(argument("new", "16"));
const model = argument("model", "");
const quantization = QUANTIZATIONS.find((kind) => kind === argument("quantization", "none"));
const rounds = Number(argument("rounds", "3"));
const prefix = Number(argument("prefix", "128"));
const learntTokens = Number(argument("learnt", "32"));
const started = process.cpuUsage();
const engine = await createLocalEngine(model, {
  threads: Number(argument("threads", "1")),
  adapter: { r: 16, alpha: 32, useRslora: false, targetModules: "all-linear", seed: 1 },
  ...(quantization && { quantization }),
});
const loadSeconds = process.cpuUsage(started).user / 1e6;
await setTimeout(500);
const mebibytes = () => Math.round(process.memoryUsage().rss / 2 ** 20);
const memory = { loaded: mebibytes(), loading: peakMebibytes(), sampling: 0, training: 0 };

const params = { temperature: 1, topP: 1, topK: 0, stop: [] };
let call = 0;
function requestsOf(rows: number) {
  call++;
  return Array.from({ length: rows }, (_, seed) => ({
    prompt: Array.from(
      { length: 32 },
      (_, t) => (call * 31 + seed * 17 + t * 7 * (seed + 1)) % engine.info.vocabSize,
    ),
    seed,
  }));
}

/** Seconds of computing, which other programs on the machine change less than the clock's. */
async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** By rows: tokens per second of computing, prefill taken off. */
const decoded: Record<string, number> = {};
for (const rows of argument("rows", "1,8,64").split(",").map(Number)) {
  const times: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const first = await secondsOf(() => engine.sample(requestsOf(rows), { ...params, maxTokens: 1 }));
    const all = await secondsOf(() => engine.sample(requestsOf(rows), { ...params, maxTokens: 1 + NEW }));
    if (round >= 0) times.push(all - first);
  }
  decoded[rows] = Math.round((10 * rows * NEW) / median(times)) / 10;
}
memory.sampling = peakMebibytes();

/** A failure's eight reflections: they share their beginning. */
const prompt = Array.from({ length: prefix }, (_, t) => (t * 37 + 11) % engine.info.vocabSize);
const samples = await engine.sample(
  Array.from({ length: 8 }, (_, seed) => ({ prompt, seed })),
  { ...params, maxTokens: learntTokens },
);
const data: Datum[] = samples.map(({ tokens, logprobs }) => {
  const all = Int32Array.from([...prompt, ...tokens]);
  const learnt = (numbers: ArrayLike<number>) => {
    const list = new Float32Array(all.length - 1);
    list.set(Float32Array.from(numbers), prefix - 1);
    return list;
  };
  return {
    ...{ tokens: all.slice(0, -1), targets: all.slice(1) },
    ...{ logprobs: learnt(logprobs), advantages: learnt(logprobs.map(() => 1 / (8 * learntTokens))) },
  };
});
const passes: number[] = [];
let scored: Float32Array[] = [];
for (let round = -1; round < rounds; round++) {
  const seconds = await secondsOf(async () => {
    scored = (await engine.forwardBackward(data, { name: "ppo", clipLow: 0.8, clipHigh: 1.2 })).logprobs;
  });
  if (round >= 0) passes.push(seconds);
}
memory.training = peakMebibytes();
const differences = scored.flatMap((list, i) =>
  [...list].flatMap((logprob, t) => (t < prefix - 1 ? [] : [Math.abs(logprob - data[i]!.logprobs![t]!)])),
);
console.log(
  JSON.stringify({
    ...{
      bench: "quantization",
      model,
      quantization: quantization ?? "none",
      memory,
      load_seconds: loadSeconds,
    },
    ...{ decode_tokens_s: decoded, training_pass_seconds: Math.min(...passes) },
    logprob_difference_max: Math.max(...differences),
    logprob_difference_mean: differences.reduce((a, b) => a + b, 0) / differences.length,
  }),
);
await closeEngine(engine);
