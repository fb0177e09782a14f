/**
 * Decoding one row of a large model reads every weight once per token: how near to the machine's memory is it? The shape
 * of Qwen2.5-0.5B with random weights, in turns with a read of 1 GiB by two threads. Needs 4 GB. One JSON line.
 *
 * npx tsx bench/memory-read.ts --rounds 5 [--threads 2]
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { median } from "../src/core/median.ts";
import { createCore } from "../src/engine/local/core.ts";
import { parseModelConfig } from "../src/model/config.ts";
import { flatSize, parameterShapes } from "../src/model/parameters.ts";
import { argument, peakMebibytes } from "./common.ts";

const NEW = 9;
const rounds = Number(argument("rounds", "5"));
const threads = Number(argument("threads", "2"));

/** Qwen/Qwen2.5-0.5B, config.json. */
const config = parseModelConfig(
  {
    architectures: ["Qwen2ForCausalLM"],
    model_type: "qwen2",
    vocab_size: 151_936,
    hidden_size: 896,
    intermediate_size: 4864,
    num_hidden_layers: 24,
    num_attention_heads: 14,
    num_key_value_heads: 2,
    max_position_embeddings: 32_768,
    rope_theta: 1_000_000,
    rms_norm_eps: 1e-6,
    hidden_act: "silu",
    tie_word_embeddings: true,
  },
  "shape of Qwen2.5-0.5B",
);
const parameters = parameterShapes(config);
const flat = new Float32Array(flatSize(parameters));
for (let i = 0; i < flat.length; i++) flat[i] = ((i * 0.618_034) % 1) * 0.04 - 0.02;
const bytesPerToken = flat.byteLength;

/**
 * Reads 1 GiB: each of two threads looks for a byte that is not in its half, which the C library does as fast as memory
 * gives it.
 */
function createRead() {
  const gibibyte = 2 ** 30;
  const source = `const { parentPort } = require("node:worker_threads");
    const half = Buffer.alloc(${gibibyte / 2}, 1);
    parentPort.on("message", () => parentPort.postMessage(half.indexOf(2)));`;
  const workers = Array.from({ length: 2 }, () => new Worker(source, { eval: true }));
  return {
    gigabytes: gibibyte / 1e9,
    run: () =>
      Promise.all(
        workers.map((worker) => {
          worker.postMessage("read");
          return once(worker, "message");
        }),
      ),
    release: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}

const read = createRead();
await read.run();
const engine = createCore({ config, parameters, flat }, threads, { reference: false });
let call = 0;
async function sampleSeconds(maxTokens: number): Promise<number> {
  call++;
  const prompt = Array.from({ length: 32 }, (_, t) => (call * 31 + t * 7) % config.vocabSize);
  const start = performance.now();
  await engine.sample([{ prompt, seed: call }], { maxTokens, temperature: 1, topP: 1, topK: 0, stop: [] });
  return (performance.now() - start) / 1000;
}

const [reads, first, all]: [number[], number[], number[]] = [[], [], []];
for (let round = -1; round < rounds; round++) {
  const start = performance.now();
  await read.run();
  const readSeconds = (performance.now() - start) / 1000;
  const [one, many] = [await sampleSeconds(1), await sampleSeconds(NEW)];
  if (round < 0) continue;
  reads.push(readSeconds);
  first.push(one);
  all.push(many);
}
await read.release();
await engine.close();
const secondsPerToken = (median(all) - median(first)) / (NEW - 1);
const readRate = read.gigabytes / median(reads);
console.log(
  JSON.stringify({
    bench: "memory-read",
    shape: "Qwen2.5-0.5B",
    threads,
    batch: 1,
    decode_tokens_s: 1 / secondsPerToken,
    weights_gb_s: bytesPerToken / 1e9 / secondsPerToken,
    memory_read_gb_s: readRate,
    of_memory_read: bytesPerToken / 1e9 / secondsPerToken / readRate,
    peak_rss_mib: peakMebibytes(),
  }),
);
