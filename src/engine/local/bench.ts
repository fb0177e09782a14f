/**
 * How fast the local engine is on this machine: a training step beside the plain matrix product of the same runtime in
 * the same process, taken in turns, so that the ratio holds when the machine's speed drifts.
 */
import { availableParallelism } from "node:os";
import type { Datum } from "../../core/datum.ts";
import { createGraph, createSession, matmul } from "../../graph/index.ts";
import { parseModelConfig } from "../../model/config.ts";
import type { Model } from "../../model/folder.ts";
import { initParameters, parameterShapes } from "../../model/parameters.ts";
import type { Engine } from "../contract.ts";
import { createCore } from "./core.ts";

export interface BenchReport {
  threads: number;
  parameters: number;
  tokens: number;
  /** Medians. */
  stepSeconds: number;
  /** 6·N·tokens + 12·layers·hidden·length·tokens (attention, whole square), by the step's time. */
  stepGflops: number;
  /** 1024³ MatMul. */
  matmulGflops: number;
  /** Sampling with a 32-token prompt, 64 new tokens, 64 rows. */
  sampledTokensPerSecond: number;
  residentMegabytes: number;
}

/** 5 M parameters: hidden 256, 6 layers, 8 heads, intermediate 704, 512 tokens. */
const shape = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 512,
  hidden_size: 256,
  intermediate_size: 704,
  num_hidden_layers: 6,
  num_attention_heads: 8,
  num_key_value_heads: 8,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
  tie_word_embeddings: true,
};
const ROWS = 32;
const LENGTH = 128;

/** Medians over `rounds` after one warm-up. Takes about half a minute on two cores. */
export async function benchEngine(options: { threads?: number; rounds?: number } = {}): Promise<BenchReport> {
  const threads = options.threads ?? availableParallelism();
  const rounds = options.rounds ?? 9;
  const model = benchModel();
  const { config } = model;
  const engine = createCore(model, threads, { reference: false });
  const product = await createMatmul(threads);
  const step = createStep(engine);

  const steps: number[] = [];
  const products: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const [productSeconds, stepSeconds] = [await seconds(product.run), await seconds(step)];
    if (round < 0) continue;
    products.push(productSeconds);
    steps.push(stepSeconds);
  }
  const sampledTokensPerSecond = await benchSampling(engine, rounds);
  await product.release();
  await engine.close();

  const tokens = ROWS * LENGTH;
  const attention = 12 * config.layers * config.hiddenSize * LENGTH * tokens;
  const stepSeconds = median(steps);
  return {
    threads,
    parameters: engine.info.parameters,
    tokens,
    stepSeconds,
    stepGflops: (6 * engine.info.parameters * tokens + attention) / stepSeconds / 1e9,
    matmulGflops: product.gflop / median(products),
    sampledTokensPerSecond,
    residentMegabytes: process.memoryUsage().rss / 2 ** 20,
  };
}

/** Random weights in the shape above. */
export function benchModel(): Model {
  const config = parseModelConfig(shape, "bench");
  return { config, parameters: parameterShapes(config), flat: initParameters(config, 1) };
}

/** 32 rows of 128 tokens. */
export function benchData(): Datum[] {
  const ids = (shift: number) =>
    Int32Array.from({ length: LENGTH }, (_, t) => (t * 7 + shift) % shape.vocab_size);
  return Array.from({ length: ROWS }, (_, row) => ({
    tokens: ids(row),
    targets: ids(row + 7),
    weights: new Float32Array(LENGTH).fill(1 / (ROWS * LENGTH)),
  }));
}

/** A forward and backward pass and an optimiser step. */
function createStep(engine: Engine): () => Promise<unknown> {
  const data = benchData();
  const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };
  return async () => {
    await engine.forwardBackward(data, { name: "cross_entropy" });
    await engine.optimStep(adam);
  };
}

async function benchSampling(engine: Engine, rounds: number): Promise<number> {
  const [rows, prompt, maxTokens] = [64, 32, 64];
  const requests = Array.from({ length: rows }, (_, seed) => ({
    prompt: Array.from({ length: prompt }, (_, t) => (seed + 3 * t) % shape.vocab_size),
    seed,
  }));
  const params = { maxTokens, temperature: 1, topP: 1, topK: 0, stop: [] };
  await engine.sample(requests, params);
  const times: number[] = [];
  for (let round = 0; round < Math.min(5, rounds); round++) {
    times.push(await seconds(() => engine.sample(requests, params)));
  }
  return (rows * maxTokens) / median(times);
}

async function createMatmul(threads: number) {
  const size = 1024;
  const repeats = 16;
  const graph = createGraph();
  const a = graph.input("a", "float32", [size, size]);
  const b = graph.input("b", "float32", [size, size]);
  graph.output("c", matmul(graph, a, b));
  const session = await createSession(graph, { threads });
  const data = new Float32Array(size * size).map((_, i) => Math.sin(i));
  const feeds = { a: { data, dims: [size, size] }, b: { data, dims: [size, size] } };
  return {
    gflop: (repeats * 2 * size ** 3) / 1e9,
    run: async () => {
      for (let i = 0; i < repeats; i++) await session.run(feeds);
    },
    release: () => session.release(),
  };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
