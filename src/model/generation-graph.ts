/**
 * The model as one ONNX graph for other programs: inputs and outputs as Optimum names them for text generation with a
 * cache, so that transformers.js, onnxruntime-web and Python run it. No part of our own sampling, which knows more.
 */
import {
  add,
  concat,
  createGraph,
  type Dim,
  type Feed,
  freezeInputs,
  type Graph,
  matmul,
  multiplyDims,
  reshape,
  type Shape,
  softmax,
  transpose,
  type Value,
} from "../graph/index.ts";
import type { ModelConfig } from "./config.ts";
import { type DecoderInputs, decoderHidden, headsPerToken, headWeight } from "./decoder.ts";
import type { Model } from "./folder.ts";
import { mergedWeights } from "./lora/adapter.ts";
import { product } from "./matrix.ts";
import { ropeTables } from "./rope-tables.ts";
import { fuseTensors } from "./tensors.ts";
import { MASKED, maskName, maskWindows } from "./window.ts";

const PARTS = ["key", "value"] as const;
const TOTAL = "(past+sequence)";

/**
 * Weights, an adapter merged into them, and rotation tables are constants. Inputs `input_ids` [batch, sequence],
 * `attention_mask` [batch, past + sequence], `position_ids` [batch, sequence] and `past_key_values.i.key`, `.value`
 * [batch, K, past, D]; outputs `logits` [batch, sequence, V] and `present.i.key`, `.value`.
 */
export function generationGraph(model: Model): Graph {
  const { lora: _, ...config } = model.config;
  const graph = createGraph();
  const int64 = (name: string, shape: Shape) => graph.input(name, "int64", shape);
  const ids = int64("input_ids", ["batch", "sequence"]);
  const attended = int64("attention_mask", ["batch", TOTAL]);
  const places = int64("position_ids", ["batch", "sequence"]);
  const past = Array.from({ length: config.layers }, (_, i) =>
    PARTS.map((part) => {
      const shape = ["batch", config.kvHeads, "past", config.headSize];
      return graph.input(`past_key_values.${i}.${part}`, graph.float, shape);
    }),
  );
  const masks = new Map(
    maskWindows(config).map(([name, window]) => [name, seenMask(graph, attended, window)]),
  );
  const { inputs, feeds } = constants(graph, model, { ids, places });

  const hidden = decoderHidden(graph, config, inputs, (layer, rows) => {
    const [queries, keys, values] = headsOf(graph, config, rows);
    const seen = [keys, values].map((fresh, p) => concat(graph, [past[layer]![p]!, fresh], 2));
    seen.forEach((all, p) => void graph.output(`present.${layer}.${PARTS[p]}`, all));
    return attend(graph, config, queries, seen as [Value, Value], masks.get(maskName(config, layer))!);
  })!;
  const logits = product(graph, hidden, headWeight(config, inputs));
  graph.output("logits", reshape(graph, logits, ["batch", "sequence", config.vocabSize]));
  return freezeInputs(graph, feeds);
}

/** Decoder inputs whose weights and tables are inputs to be frozen with those feeds. */
function constants(
  graph: Graph,
  { config, parameters, flat, adapter }: Model,
  { ids, places }: { ids: Value; places: Value },
): { inputs: DecoderInputs; feeds: Record<string, Feed> } {
  const tables = ropeTables(config, config.contextLength);
  const feeds: Record<string, Feed> = {
    rope_cos: { data: tables.cos, dims: tables.dims },
    rope_sin: { data: tables.sin, dims: tables.dims },
  };
  const merged = adapter ? mergedWeights(parameters, flat, adapter) : flat;
  for (const { name, shape, offset, size } of fuseTensors(parameters)) {
    feeds[name] = { data: merged.subarray(offset, offset + size), dims: shape };
  }
  const declared = new Map(
    Object.entries(feeds).map(([name, { dims }]) => [name, graph.input(name, graph.float, dims)]),
  );

  const { heads, kvHeads } = config;
  const { positions, unturned } = tables;
  const perHead = (query: number, key: number, value: number) => [
    ...Array<number>(heads).fill(query),
    ...Array<number>(kvHeads).fill(key),
    ...Array<number>(kvHeads).fill(value),
  ];
  /** A row of the tables for each token and head: the token's position times a factor plus an offset. */
  const rotation = (factors: number[], offsets: number[]) => {
    const count = multiplyDims(["batch", "sequence"]);
    const width = headsPerToken(config);
    const row = (numbers: number[]) => graph.constant("int64", [1, width], numbers);
    const scaled = graph.node("Mul", [reshape(graph, places, [count, 1]), row(factors)], "int64", [
      count,
      width,
    ]);
    const rows = graph.node("Add", [scaled, row(offsets)], "int64", [count, width]);
    return {
      positions: reshape(graph, rows, [multiplyDims([count, width]), 1]),
      cos: declared.get("rope_cos")!,
      sin: declared.get("rope_sin")!,
    };
  };
  return {
    feeds,
    inputs: {
      tokens: reshape(graph, ids, [multiplyDims(["batch", "sequence"])]),
      rotation: rotation(perHead(1, 1, 0), perHead(positions, 0, unturned.key)),
      ...(config.unrotatedLayers.length > 0 && {
        unrotated: rotation(perHead(0, 0, 0), perHead(unturned.query, unturned.key, unturned.key)),
      }),
      tensors: declared,
      quantized: new Map(),
      trained: new Map(),
    },
  };
}

/** 0 where a token may see another, by their places in the cache. // [batch, past + sequence] → [batch, 1, 1, sequence, past + sequence] */
function seenMask(graph: Graph, attended: Value, window: number): Value {
  const scalar = (number: number) => graph.constant("int64", [], [number]);
  const length = (dim: Dim) => {
    const size = graph.shapeTensor([dim], true);
    return graph.node("Squeeze", [size], "int64", []);
  };
  const range = (from: Value, to: Value, dim: Dim, shape: Shape) =>
    reshape(graph, graph.node("Range", [from, to, scalar(1)], "int64", [dim]), shape);
  const rows = range(length("past"), length(TOTAL), "sequence", ["sequence", 1]);
  const columns = range(scalar(0), length(TOTAL), TOTAL, [1, TOTAL]);
  const back = graph.node("Sub", [rows, columns], "int64", ["sequence", TOTAL]);
  const compare = (op: string, number: number) =>
    graph.node(op, [back, scalar(number)], "bool", ["sequence", TOTAL]);
  const both = (a: Value, b: Value, shape: Shape) => graph.node("And", [a, b], "bool", shape);
  let causal = compare("GreaterOrEqual", 0);
  if (window !== Infinity) causal = both(causal, compare("Less", window), causal.shape);
  const present = graph.node("Greater", [attended, scalar(0)], "bool", ["batch", TOTAL]);
  const seen = both(causal, reshape(graph, present, ["batch", 1, TOTAL]), ["batch", "sequence", TOTAL]);
  const scores = graph.node("Where", [seen, graph.scalar(0), graph.scalar(MASKED)], graph.float, seen.shape);
  return reshape(graph, scores, ["batch", 1, 1, "sequence", TOTAL]);
}

/** // [N·(H+2K), 1, D] → queries [batch, H, sequence, D], keys and values [batch, K, sequence, D] */
function headsOf(
  graph: Graph,
  { heads, kvHeads, headSize }: ModelConfig,
  rows: Value,
): [Value, Value, Value] {
  const apart = reshape(graph, rows, ["batch", "sequence", heads + 2 * kvHeads, headSize]);
  const turned = transpose(graph, apart, [0, 2, 1, 3]);
  const counts = [heads, kvHeads, kvHeads];
  return graph.nodeWithOutputs(
    "Split",
    [turned, graph.constant("int64", [3], counts)],
    counts.map((count) => ({ dtype: graph.float, shape: ["batch", count, "sequence", headSize] })),
    { attributes: { axis: { int: 1 } } },
  ) as [Value, Value, Value];
}

/** Queries hold the factor 1/√D already (rope-tables.ts). // → [N, H·D] */
function attend(
  graph: Graph,
  { heads, kvHeads, headSize }: ModelConfig,
  queries: Value,
  [keys, values]: [Value, Value],
  mask: Value,
): Value {
  const group = heads / kvHeads;
  const grouped = (last: Dim) => ["batch", kvHeads, multiplyDims([group, "sequence"]), last];
  const scores = matmul(graph, reshape(graph, queries, grouped(headSize)), keys, { transB: true });
  const apart = reshape(graph, scores, ["batch", kvHeads, group, "sequence", TOTAL]);
  const shares = reshape(graph, softmax(graph, add(graph, apart, mask)), grouped(TOTAL));
  const mixed = reshape(graph, matmul(graph, shares, values), ["batch", heads, "sequence", headSize]);
  const perToken = transpose(graph, mixed, [0, 2, 1, 3]);
  return reshape(graph, perToken, [multiplyDims(["batch", "sequence"]), heads * headSize]);
}
