/**
 * What a run will hold in memory, before anything is loaded: buffers by their sizes, and the tensors of its largest graph
 * runs by walking those graphs (graph/memory.ts). Bytes throughout.
 */
import { bytesOf, type Graph, graphMemory } from "../../graph/index.ts";
import type { ModelConfig } from "../../model/config.ts";
import { loadModelShape } from "../../model/folder.ts";
import { loraParameters } from "../../model/lora/adapter.ts";
import { loadAdapterConfig } from "../../model/lora/folder.ts";
import { flatSize, parameterShapes } from "../../model/parameters.ts";
import type { Loss } from "../contract.ts";
import type { LocalEngineOptions } from "./core.ts";
import { LARGE_MODEL } from "./graphs.ts";
import { TOKENS_PER_RUN } from "./prefixes/runs.ts";
import { replicasFor } from "./replicas/replicas.ts";
import { STORE_BYTES } from "./sampling/kv-store.ts";
import { POOL_BYTES } from "./sampling/memory-pool.ts";
import { MOST_STEPS } from "./sampling/recent-steps.ts";
import { ROWS_PER_BATCH } from "./sampling/sampler.ts";
import { prefillGraph } from "./sampling/sampling-graph.ts";
import { type PlannedRun, planPass } from "./training/passes.ts";
import { trainingGraph } from "./training/training-graph.ts";

/** Tokens of a group's rows: those they share, and those of each row after them. */
export interface GroupShape {
  groups: number;
  rowsPerGroup: number;
  shared: number;
  own: number;
}

/** What is asked of an engine. */
export interface MemoryWork {
  loss: Pick<Loss, "name" | "kl">;
  /** An optimiser step's data. */
  trained: GroupShape;
  /** Calls to sample, the larger ones. */
  sampled: readonly GroupShape[];
}

export interface MemoryNeeds extends MemoryWork {
  /** With its adapter, where that learns. */
  config: ModelConfig;
  /** Each with its own weights (local-engine.ts). */
  replicas: number;
  /** A copy of what learns, as it began. */
  reference: boolean;
  maxTokensPerRun?: number | undefined;
  gradientCheckpointing?: boolean | undefined;
}

export interface MemoryPart {
  name: string;
  bytes: number;
  when: "always" | "sampling" | "training";
}

export interface MemoryPlan {
  parts: MemoryPart[];
  /** What is always there, and the larger of what sampling and training add. */
  peak: number;
}

/** Runtime, code and tokenizer of a process that has loaded a model: measured 226 to 266 MiB (docs/benchmarks.md). */
const PROCESS = 230 * 2 ** 20;

/** The runtime takes memory in pieces, of which some stay unused: 3 to 33 % more than the tensors (docs/benchmarks.md). */
const PIECES = 1.2;

/** A small model's graphs keep their memory, and a second time as one block for the next run of the same sizes (core.ts). */
const KEPT = 2;

/** A compiled node, here and in the runtime: 93 MiB for 7,625 of them. */
const NODE = 12_800;

export function planMemory(needs: MemoryNeeds): MemoryPlan {
  const { config, replicas, reference } = needs;
  const training = trainingMemory(needs);
  const size = 4 * flatSize(parameterShapes(config));
  const learns = config.lora ? 4 * flatSize(loraParameters(config, config.lora)) : size;
  const all = config.quantization ? training.inputs - learns : size;
  const isLarge = flatSize(parameterShapes(config)) > LARGE_MODEL;
  /** Tensors of a graph, for all replicas. */
  const graphs = (bytes: number) => Math.round(replicas * PIECES * (isLarge ? 1 : KEPT) * bytes);
  const [sampling] = needs.sampled
    .map((call) => samplingMemory(config, call))
    .sort((a, b) => b.caches + b.activations - a.caches - a.activations) as [SamplingMemory];
  const parts: MemoryPart[] = [
    { name: "process", bytes: PROCESS, when: "always" },
    { name: "weights", bytes: replicas * all + (config.lora ? 0 : sharedBy(replicas, all)), when: "always" },
    ...(config.lora
      ? [{ name: "adapter", bytes: replicas * learns + sharedBy(replicas, learns), when: "always" as const }]
      : []),
    { name: "reference copy", bytes: reference ? replicas * learns : 0, when: "always" },
    { name: "gradient", bytes: replicas * learns, when: "always" },
    { name: "moments", bytes: 2 * learns, when: "always" },
    { name: "compiled graphs", bytes: replicas * training.nodes * NODE, when: "always" },
    { name: "kept keys and values", bytes: sampling.kept, when: "always" },
    { name: "keys and values of the batch", bytes: sampling.caches, when: "sampling" },
    {
      name: "activations of sampling",
      bytes: graphs(sampling.activations),
      when: isLarge ? "sampling" : "always",
    },
    {
      name: "activations of training",
      bytes: graphs(training.activations),
      when: isLarge ? "training" : "always",
    },
    { name: "results of training", bytes: replicas * training.results, when: "training" },
  ];
  const sum = (when: MemoryPart["when"]) =>
    parts.reduce((total, part) => total + (part.when === when ? part.bytes : 0), 0);
  return { parts, peak: sum("always") + Math.max(sum("sampling"), sum("training")) };
}

/** Replicas have a copy of what learns in common, which they take their weights from. */
const sharedBy = (replicas: number, bytes: number) => (replicas > 1 ? bytes : 0);

/** The largest run of a step's data. Its results go into arrays of the engine's. */
function trainingMemory(needs: MemoryNeeds) {
  let largest = { activations: 0, results: 0, nodes: 0, inputs: 0 };
  const graphs = new Map<string, Graph>();
  for (const run of runsOf(needs)) {
    const key = JSON.stringify(run.shape);
    const graph = graphs.get(key) ?? trainingGraph(needs.config, run.shape, needs.loss);
    graphs.set(key, graph);
    const { peak, outputs } = graphMemory(graph, dimsOf(graph, run));
    if (peak > largest.activations) {
      largest = { activations: peak, results: outputs, nodes: graph.nodes.length, inputs: weightsOf(graph) };
    }
  }
  return largest;
}

/** Bytes of the inputs whose size is that of the model; some come a second time under another name (decoder.ts). */
function weightsOf({ inputs }: Graph): number {
  return inputs
    .filter(({ name }) => !name.endsWith(":again"))
    .filter(({ shape }) => shape.length > 0 && shape.every((dim) => typeof dim === "number"))
    .reduce((sum, value) => sum + bytesOf(value), 0);
}

/** As many groups as fill a run, where there are so many: further ones make runs like theirs. */
export function groupsPerRun(
  { groups, rowsPerGroup, shared, own }: GroupShape,
  maxTokensPerRun = TOKENS_PER_RUN,
): number {
  return Math.min(groups, Math.ceil(maxTokensPerRun / (shared + rowsPerGroup * own)));
}

/** Runs of made-up sequences of the step's lengths. */
function runsOf(
  needs: Pick<MemoryNeeds, "config" | "trained" | "maxTokensPerRun" | "gradientCheckpointing">,
) {
  const { config, trained, maxTokensPerRun = TOKENS_PER_RUN, gradientCheckpointing } = needs;
  const { rowsPerGroup, shared, own } = trained;
  const groups = groupsPerRun(trained, maxTokensPerRun);
  const data = Array.from({ length: groups * rowsPerGroup }, (_, i) => {
    const [group, row] = [Math.floor(i / rowsPerGroup), i % rowsPerGroup];
    const tokens = new Int32Array(shared + own).fill(group, 0, shared).fill(groups + row, shared);
    return { tokens, targets: tokens, weights: new Float32Array(shared + own).fill(1, shared - 1) };
  });
  const engine = { weights: { config }, maxTokensPerRun, gradientCheckpointing };
  return planPass(engine, data, { back: true });
}

/** Sizes of a graph's inputs: the feeds' of a run, or those of one number for each score or weight. */
function dimsOf(graph: Graph, { feeds, entries }: PlannedRun): Record<string, readonly number[]> {
  const scores = [entries.gather(() => undefined).length];
  return Object.fromEntries(
    graph.inputs.map(({ name, shape }) => {
      const isFixed = shape.every((dim) => typeof dim === "number");
      return [name, isFixed ? (shape as number[]) : (feeds[name]?.dims ?? scores)];
    }),
  );
}

interface SamplingMemory {
  kept: number;
  caches: number;
  activations: number;
}

/**
 * Rows in flight with their own caches and recent steps, each group's beginning once; where rows leave or steps are settled,
 * the old and the new are there. Activations of prompts: the same graph runs as in training, without what follows the last
 * layer's heads.
 */
function samplingMemory(config: ModelConfig, sampled: GroupShape): SamplingMemory {
  const { rowsPerGroup, shared, own } = sampled;
  const rows = Math.min(ROWS_PER_BATCH, sampled.groups * rowsPerGroup);
  const perToken = 8 * config.layers * config.kvHeads * config.headSize;
  const steps = Math.min(MOST_STEPS, own);
  const caches = perToken * (2 * rows * (own + steps) + Math.ceil(rows / rowsPerGroup) * shared);
  const prompts = { groups: sampled.groups, rowsPerGroup: 1, shared: 1, own: Math.max(1, shared - 1) };
  const logits = 3 * 4 * rows * config.vocabSize;
  let activations = logits;
  for (const run of runsOf({ config, trained: prompts })) {
    const graph = prefillGraph(config, run.shape.levels);
    const { peak, outputs } = graphMemory(graph, dimsOf(graph, run));
    activations = Math.max(activations, peak + outputs);
  }
  return { kept: Math.min(caches, STORE_BYTES + POOL_BYTES), caches, activations };
}

/** What of a model and its engine shapes the plan. */
type EngineOptions = Pick<
  LocalEngineOptions,
  | "adapter"
  | "device"
  | "gradientCheckpointing"
  | "maxTokensPerRun"
  | "quantization"
  | "reference"
  | "threads"
>;

/** The plan of a model folder on an engine with these options. Throws what reading config.json throws. */
export async function planModel(
  folder: string,
  options: EngineOptions,
  work: MemoryWork,
): Promise<MemoryPlan> {
  const { config, size } = await loadModelShape(folder);
  const { adapter, quantization, reference = true, maxTokensPerRun, gradientCheckpointing } = options;
  const lora = typeof adapter === "string" ? (await loadAdapterConfig(adapter)).lora : adapter;
  return planMemory({
    ...work,
    config: { ...config, ...(lora && { lora }), ...(quantization && { quantization }) },
    replicas: replicasFor(size, options),
    ...{ reference, maxTokensPerRun, gradientCheckpointing },
  });
}
