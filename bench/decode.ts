/**
 * How fast are tokens decoded? Distinct prompts of 32 tokens, 64 new ones, no stop. The time for the first token, which
 * holds the prompts' prefill, is measured apart and taken off. One JSON line per batch.
 *
 * npx tsx bench/decode.ts --shape M --batches 1,16,64 --rounds 7 [--threads 2] [--profile on]
 */
import { median } from "../src/core/median.ts";
import { type BenchShape, openBenchModel } from "../src/engine/local/bench.ts";
import { argument, closeEngine, peakMebibytes } from "./common.ts";

const PROMPT = 32;
const NEW = 64;
const shape = argument("shape", "M") as BenchShape;
const rounds = Number(argument("rounds", "7"));
const threads = Number(argument("threads", "2"));
const engine = await openBenchModel(shape, {
  threads,
  reference: false,
  profile: argument("profile", "off") === "on",
});
const { vocabSize } = engine.info;

let call = 0;
/** Seconds for `maxTokens` tokens after prompts that were never seen before. */
async function sampleSeconds(batch: number, maxTokens: number): Promise<number> {
  call++;
  const requests = Array.from({ length: batch }, (_, row) => ({
    prompt: Array.from({ length: PROMPT }, (_, t) => (call * 31 + row * 17 + t * 7 * (row + 1)) % vocabSize),
    seed: row,
  }));
  const start = performance.now();
  await engine.sample(requests, { maxTokens, temperature: 1, topP: 1, topK: 0, stop: [] });
  return (performance.now() - start) / 1000;
}

for (const batch of argument("batches", "1,16,64").split(",").map(Number)) {
  const [first, all]: [number[], number[]] = [[], []];
  for (let round = -2; round < rounds; round++) {
    const [one, many] = [await sampleSeconds(batch, 1), await sampleSeconds(batch, NEW)];
    if (round < 0) continue;
    first.push(one);
    all.push(many);
  }
  const seconds = median(all) - median(first);
  console.log(
    JSON.stringify({
      bench: "decode",
      shape,
      batch,
      threads,
      decode_tokens_s: Math.round((batch * (NEW - 1)) / seconds),
      ms_per_step: (1000 * seconds) / (NEW - 1),
      prefill_tokens_s: Math.round((batch * PROMPT) / median(first)),
      peak_rss_mib: peakMebibytes(),
    }),
  );
}
await closeEngine(engine);
