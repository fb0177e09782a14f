/**
 * How long is a Reflect-Retry-Reward step of given lengths? Sampling of reflections and retries, reference forward,
 * forward and backward with KL, optimiser; lengths are forced, tokens and rewards random. One JSON line.
 *
 * npx tsx bench/rrr-step.ts --shape M --variant tools --rounds 5 [--sharing off] [--profile on]
 */
import type { Datum } from "../src/core/datum.ts";
import { median } from "../src/core/median.ts";
import { createRng } from "../src/core/rng.ts";
import type { SamplingParams } from "../src/engine/contract.ts";
import { type BenchShape, openBenchModel } from "../src/engine/local/bench.ts";
import { argument, closeEngine, peakMebibytes } from "./common.ts";

/** Tokens: failures, reflections on each, failed conversation, reflection, retry prompt, retry. */
const VARIANTS = {
  game: { failures: 32, G: 8, prefix: 45, reflection: 20, turn: 8, retry: 12 },
  tools: { failures: 8, G: 8, prefix: 300, reflection: 40, turn: 20, retry: 40 },
};
const shape = argument("shape", "S") as BenchShape;
const variant = argument("variant", "game") as keyof typeof VARIANTS;
const rounds = Number(argument("rounds", "5"));
const threads = Number(argument("threads", "2"));
const overrides = Object.fromEntries(
  Object.entries(VARIANTS[variant]).map(([key, value]) => [key, Number(argument(key, String(value)))]),
) as (typeof VARIANTS)["game"];
const { failures, G, prefix, reflection, turn, retry } = overrides;

const engine = await openBenchModel(shape, {
  threads,
  sharePrefixes: argument("sharing", "on") !== "off",
  profile: argument("profile", "off") === "on",
});
const rng = createRng(5);
const text = (length: number) => Array.from({ length }, () => rng.int(0, engine.info.vocabSize - 1));
const params = (maxTokens: number): SamplingParams => ({
  maxTokens,
  temperature: 1,
  topP: 1,
  topK: 0,
  stop: [],
});
const adam = { learningRate: 1e-6, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };

async function sample(round: number) {
  const prompts = Array.from({ length: failures }, () => text(prefix)).flatMap((prompt) =>
    Array.from({ length: G }, () => prompt),
  );
  const seedOf = (i: number) => 100_000 * round + i;
  const reflections = await engine.sample(
    prompts.map((prompt, i) => ({ prompt, seed: seedOf(i) })),
    params(reflection),
  );
  const question = text(turn);
  const texts = prompts.map((prompt, i) => [...prompt, ...reflections[i]!.tokens]);
  await engine.sample(
    texts.map((before, i) => ({ prompt: [...before, ...question], seed: seedOf(i) + 50_000 })),
    params(retry),
  );
  return texts.map((tokens, i) => ({ tokens, logprobs: reflections[i]!.logprobs }));
}

async function train(rows: Awaited<ReturnType<typeof sample>>) {
  const weight = 1 / (reflection * rows.length);
  const rewards = rows.map(() => rng.int(0, 1));
  const data = rows.map(({ tokens, logprobs }, i): Datum => {
    const group = rewards.slice(G * Math.floor(i / G), G * (Math.floor(i / G) + 1));
    const mean = group.reduce((a, b) => a + b, 0) / G;
    const std = Math.sqrt(group.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (G - 1));
    const tail = (value: number) =>
      new Float32Array(tokens.length - 1).fill(value, tokens.length - 1 - reflection);
    const sampled = tail(0);
    sampled.set(logprobs, tokens.length - 1 - reflection);
    return {
      tokens: Int32Array.from(tokens.slice(0, -1)),
      targets: Int32Array.from(tokens.slice(1)),
      logprobs: sampled,
      advantages: tail((weight * (rewards[i]! - mean)) / (std + 1e-4)),
      klWeights: tail(0.001 * weight),
    };
  });
  const reference = await engine.forward(data, { weights: "reference" });
  await engine.forwardBackward(
    data.map((datum, i) => ({ ...datum, referenceLogprobs: reference[i]! })),
    { name: "ppo", clipLow: 0.8, clipHigh: 1.2, kl: "k3" },
  );
  await engine.optimStep(adam);
}

const [sampling, training]: [number[], number[]] = [[], []];
for (let round = -1; round < rounds; round++) {
  const start = performance.now();
  const rows = await sample(round + 1);
  const middle = performance.now();
  await train(rows);
  if (round < 0) continue;
  sampling.push((middle - start) / 1000);
  training.push((performance.now() - middle) / 1000);
}
await closeEngine(engine);
console.log(
  JSON.stringify({
    bench: "rrr-step",
    shape,
    variant,
    threads,
    ...overrides,
    sharing: argument("sharing", "on"),
    sample_s: median(sampling),
    train_s: median(training),
    step_s: median(sampling.map((s, i) => s + training[i]!)),
    peak_rss_mib: peakMebibytes(),
  }),
);
