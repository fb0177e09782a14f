/**
 * How fast the local engine is on this machine: a training step beside the plain matrix product of the same runtime in
 * the same process, taken in turns, so that the ratio holds when the machine's speed drifts.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Datum } from "../../core/datum.ts";
import { median } from "../../core/median.ts";
import type { EngineProfile } from "../../core/profile.ts";
import { createGraph, createSession, matmul } from "../../graph/index.ts";
import { type ModelConfig, parseModelConfig } from "../../model/config.ts";
import { saveModel } from "../../model/folder.ts";
import { initParameters, parameterCount, parameterShapes } from "../../model/parameters.ts";
import type { Engine } from "../contract.ts";
import type { LocalEngineOptions } from "./core.ts";
import { createLocalEngine } from "./local-engine.ts";

export interface BenchReport {
  threads: number;
  parameters: number;
  tokens: number;
  /** The first step of the process, which compiles its graphs. */
  firstStepSeconds: number;
  /** Medians. */
  stepSeconds: number;
  /** AdamW's part of it. */
  optimizerSeconds: number;
  /** gflopOfStep by the step's time. */
  stepGflops: number;
  /** 1024³ MatMul. */
  matmulGflops: number;
  /** Sampling with a 32-token prompt, 64 new tokens, 64 rows. */
  sampledTokensPerSecond: number;
  /** The most that the process ever held. */
  peakMebibytes: number;
  /** Of some steps and samples more, measured apart, since measuring takes time. */
  profile: EngineProfile;
}

export interface BenchOptions {
  threads?: number;
  device?: LocalEngineOptions["device"];
  rounds?: number;
  /** Stops it between two measurements. */
  signal?: AbortSignal;
}

/** hidden, layers, heads, intermediate, vocabulary: 0.8 M and 5 M parameters. */
const SHAPES = { S: [128, 4, 4, 352, 80], M: [256, 6, 8, 704, 512] } as const;
export type BenchShape = keyof typeof SHAPES;

/** A training step's rows of tokens, which share nothing. */
export const STEP = { rows: 32, length: 128, tokens: 32 * 128 };

type EngineChoice = Pick<LocalEngineOptions, "device"> & { threads: number };

/**
 * Medians over `rounds` after one warm-up, of shape M. Takes about a minute on two cores. Throws the signal's reason when
 * stopped; nothing stays open then.
 */
export async function benchEngine({
  threads,
  device,
  rounds = 9,
  signal,
}: BenchOptions = {}): Promise<BenchReport> {
  const options = { threads: threads ?? availableParallelism(), ...(device && { device }) };
  const speed = await measureSpeed(options, rounds, signal);
  const peakMebibytes = process.resourceUsage().maxRSS / 1024;
  const profile = await profileOf(options, signal);
  return { threads: options.threads, tokens: STEP.tokens, ...speed, peakMebibytes, profile };
}

async function measureSpeed(options: EngineChoice, rounds: number, signal: AbortSignal | undefined) {
  const engine = await openBenchModel("M", { ...options, reference: false });
  let product: Awaited<ReturnType<typeof createMatmul>> | undefined;
  try {
    product = await createMatmul(options.threads);
    const [steps, optimizer, products]: [number[], number[], number[]] = [[], [], []];
    signal?.throwIfAborted();
    const first = await trainingStep(engine);
    await product.run();
    for (let round = 0; round < rounds; round++) {
      signal?.throwIfAborted();
      products.push(await seconds(product.run));
      const step = await trainingStep(engine);
      steps.push(step.seconds);
      optimizer.push(step.optimizerSeconds);
    }
    const stepSeconds = median(steps);
    return {
      parameters: engine.info.parameters,
      firstStepSeconds: first.seconds,
      stepSeconds,
      optimizerSeconds: median(optimizer),
      stepGflops: gflopOfStep("M") / stepSeconds,
      matmulGflops: product.gflop / median(products),
      sampledTokensPerSecond: await benchSampling(engine, rounds, signal),
    };
  } finally {
    await engine.close();
    await product?.release();
  }
}

/** 6·N·tokens + 12·layers·hidden·length·tokens (attention, whole square), in 10⁹. */
export function gflopOfStep(shape: BenchShape): number {
  const config = benchConfig(shape);
  const attention = 12 * config.layers * config.hiddenSize * STEP.length;
  return (STEP.tokens * (6 * parameterCount(config) + attention)) / 1e9;
}

/** One of the shapes above. */
export function benchConfig(shape: BenchShape): ModelConfig {
  const [hidden, layers, heads, intermediate, vocabulary] = SHAPES[shape];
  const json = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: vocabulary,
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-5,
    hidden_act: "silu",
    tie_word_embeddings: true,
  };
  return parseModelConfig(json, `shape ${shape}`);
}

/** The engine as users have it, on a model of random weights. */
export async function openBenchModel(shape: BenchShape, options: LocalEngineOptions): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), "mulligan-bench-"));
  try {
    const config = benchConfig(shape);
    const flat = initParameters(config, 1);
    await saveModel(folder, { config, parameters: parameterShapes(config), flat });
    return await createLocalEngine(folder, options);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function stepData(vocabulary: number): Datum[] {
  const { rows, length, tokens } = STEP;
  const ids = (shift: number) => Int32Array.from({ length }, (_, t) => (t * 7 + shift) % vocabulary);
  return Array.from({ length: rows }, (_, row) => ({
    tokens: ids(row),
    targets: ids(row + 7),
    weights: new Float32Array(length).fill(1 / tokens),
  }));
}

/** A forward and backward pass and an optimiser step. */
export async function trainingStep(engine: Engine): Promise<{ seconds: number; optimizerSeconds: number }> {
  const data = stepData(engine.info.vocabSize);
  const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, gradClipNorm: 1 };
  const pass = await seconds(() => engine.forwardBackward(data, { name: "cross_entropy" }));
  const optimizerSeconds = await seconds(() => engine.optimStep(adam));
  return { seconds: pass + optimizerSeconds, optimizerSeconds };
}

const sampling = { rows: 64, prompt: 32, maxTokens: 64 };

function sampleOnce(engine: Engine): Promise<unknown> {
  const { rows, prompt, maxTokens } = sampling;
  const requests = Array.from({ length: rows }, (_, seed) => ({
    prompt: Array.from({ length: prompt }, (_, t) => (seed + 3 * t) % engine.info.vocabSize),
    seed,
  }));
  return engine.sample(requests, { maxTokens, temperature: 1, topP: 1, topK: 0, stop: [] });
}

async function benchSampling(
  engine: Engine,
  rounds: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  await sampleOnce(engine);
  const times: number[] = [];
  for (let round = 0; round < Math.min(5, rounds); round++) {
    signal?.throwIfAborted();
    times.push(await seconds(() => sampleOnce(engine)));
  }
  return (sampling.rows * sampling.maxTokens) / median(times);
}

async function profileOf(options: EngineChoice, signal: AbortSignal | undefined): Promise<EngineProfile> {
  const engine = await openBenchModel("M", { ...options, reference: false, profile: true });
  try {
    for (let round = 0; round < 2; round++) {
      signal?.throwIfAborted();
      await trainingStep(engine);
      await sampleOnce(engine);
    }
    return (await engine.profile!())!;
  } finally {
    await engine.close();
  }
}

/** Products of 1024 × 1024 matrices. */
export async function createMatmul(threads: number) {
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
