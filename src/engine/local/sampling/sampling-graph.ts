/**
 * The graphs of sampling. Large state goes in, only what is new comes out (docs/decisions/0004): the keys and values of the
 * new tokens, which stay where they are written.
 */
import {
  concat,
  createGraph,
  cutEqually,
  type Dim,
  exp,
  type Graph,
  mul,
  multiplyDims,
  reshape,
  type Shape,
  sub,
  sum,
  transpose,
  type Value,
} from "../../../graph/index.ts";
import type { ModelConfig } from "../../../model/config.ts";
import { decoderHidden, decoderInputs, headWeight } from "../../../model/decoder.ts";
import { product } from "../../../model/matrix.ts";
import {
  cachedAttention,
  type Seen,
  type SharedSeen,
  type SplitHeads,
  splitHeads,
  stepAttention,
  treeAttention,
  treeLayoutInputs,
} from "../../../model/tree-attention.ts";
import { MASKED, maskName, maskWindows } from "../../../model/window.ts";

/**
 * The tokens of a prefix tree from nothing: inputs decoderInputs and treeLayoutInputs, outputs `new_keys.i` and
 * `new_values.i` [K, N, 1, D] per layer. Nothing is computed after the last layer's heads.
 */
export function prefillGraph(config: ModelConfig, levels: number): Graph {
  const graph = createGraph();
  const inputs = decoderInputs(graph, config);
  const layoutOf = treeLayoutInputs(graph, { ...config, levels, back: false });
  decoderHidden(graph, config, inputs, (layer, heads) => {
    outputByHead(graph, layer, splitHeads(graph, config, heads));
    return layer < config.layers - 1 ? treeAttention(graph, heads, layoutOf(layer)) : undefined;
  });
  return graph;
}

/**
 * Several new tokens over a cache, as many for each of B rows: inputs decoderInputs, treeLayoutInputs of one level with
 * the past, and `past_keys.i`, `past_values.i` [B, K, S, D]. With `shared`, groups of rows have a beginning in common
 * (shared-prefix.ts), whose entries come first in the mask. Outputs `new_keys.i` and `new_values.i` as above.
 */
export function extendGraph(config: ModelConfig, { shared }: { shared: boolean }): Graph {
  const graph = createGraph();
  const inputs = decoderInputs(graph, config);
  const past = shared ? ["W", "S"] : ["S"];
  const layoutOf = treeLayoutInputs(graph, { ...config, levels: 1, back: false, past });
  const groups = shared ? groupInputs(graph, config, ["B", "N0"]) : undefined;
  decoderHidden(graph, config, inputs, (layer, heads) => {
    outputByHead(graph, layer, splitHeads(graph, config, heads));
    if (layer === config.layers - 1) return undefined;
    return cachedAttention(graph, heads, layoutOf(layer), {
      past: seenInputs(graph, config, layer, "past", ["B", "S"]),
      ...(groups && { shared: sharedInputs(graph, config, layer, groups) }),
    });
  });
  return graph;
}

/** Head by head, as rows' entries lie. */
function outputByHead(graph: Graph, layer: number, { keys, values }: SplitHeads): void {
  const byHead = (x: Value) => transpose(graph, x, [1, 0, 2, 3]);
  graph.output(`new_keys.${layer}`, byHead(keys));
  graph.output(`new_values.${layer}`, byHead(values));
}

/**
 * Entries of the vocabulary that are summed up together, arbitrary; smaller vocabularies than BLOCKED's are not. Sums by the
 * graph made sampling with 233 entries take 0.92 to 0.95 times as long, with 80 neither (docs/benchmarks.md). For a few rows
 * the extra nodes and outputs pay only from more entries on: from how many is arbitrary, not tuned.
 */
export const BLOCK = 128;
const BLOCKED = { from: 128, fromOfFew: 1024 };

export interface StepShape {
  shared: boolean;
  past: boolean;
  isFew: boolean;
}

/**
 * One new token for each of N rows: as extendGraph, but with inputs `recent.i` of the T steps since the rows' caches were
 * made and outputs `new.i`, as recent-steps.ts has them, masks [N, 1, 1, (W +) (S +) T + 1] and the `logits` [N, V]. Rows
 * without a cache have no `past`. Where the graph sums up blocks (BLOCKED) also the input `inverse_temperature` and the
 * outputs `block_highest`, `block_masses` [N, blocks] (choice.ts).
 */
export function stepGraph(config: ModelConfig, { shared, past, isFew }: StepShape): Graph {
  const graph = createGraph();
  const inputs = decoderInputs(graph, config);
  const before = [...(shared ? ["W"] : []), ...(past ? ["S"] : [])];
  const masks = new Map(
    maskWindows(config).map(([name]) => [
      name,
      graph.input(name, graph.float, ["N", 1, 1, `(${[...before, "T", 1].join("+")})`]),
    ]),
  );
  const groups = shared ? groupInputs(graph, config, ["N", 1]) : undefined;
  const recent = recentByLayer(graph, config, isFew);
  const fresh: SplitHeads[] = [];
  const hidden = decoderHidden(graph, config, inputs, (layer, heads) => {
    const apart = splitHeads(graph, config, heads);
    fresh.push(apart);
    const seen = {
      ...(past && { past: seenInputs(graph, config, layer, "past", ["N", "S"]) }),
      ...(groups && { shared: sharedInputs(graph, config, layer, groups) }),
      recent: recent[layer]!,
      mask: masks.get(maskName(config, layer))!,
    };
    return stepAttention(graph, { rows: heads, ...apart }, seen);
  });
  const logits = product(graph, hidden!, headWeight(config, inputs));
  graph.output("logits", logits);
  if (config.vocabSize >= (isFew ? BLOCKED.fromOfFew : BLOCKED.from)) blockOutputs(graph, logits);
  const all = [...fresh.map(({ keys }) => keys), ...fresh.map(({ values }) => values)];
  const parts = isFew ? [concat(graph, all, 0)] : all;
  parts.forEach((part, i) => void graph.output(`new.${i}`, part));
  return graph;
}

/** What steps left, as rows' entries: inputs of recentInputs, outputs `settled.i` [P, K, T, D] (recent-steps.ts). */
export function settleGraph(config: ModelConfig, { isFew }: Pick<StepShape, "isFew">): Graph {
  const graph = createGraph();
  recentInputs(graph, config, isFew).forEach(
    (steps, i) => void graph.output(`settled.${i}`, intoRows(graph, steps)),
  );
  return graph;
}

/** The recent steps of each layer. // [N, K, T, D] */
function recentByLayer(graph: Graph, config: ModelConfig, isFew: boolean): Seen[] {
  const { layers } = config;
  const parts = recentInputs(graph, config, isFew);
  // cut apart before they are turned, which the runtime then does within the products
  const apart = isFew ? cutEqually(graph, parts[0]!, 1, 2 * layers, "N") : parts;
  const all = apart.map((steps) => intoRows(graph, steps));
  return Array.from({ length: layers }, (_, layer) => ({ keys: all[layer]!, values: all[layers + layer]! }));
}

/** Inputs `recent.i` (recent-steps.ts). // [T, P, K, D] */
function recentInputs(graph: Graph, { layers, kvHeads, headSize }: ModelConfig, isFew: boolean): Value[] {
  const rows = isFew ? multiplyDims([2 * layers, "N"]) : "N";
  return Array.from({ length: isFew ? 1 : 2 * layers }, (_, i) =>
    graph.input(`recent.${i}`, graph.float, ["T", rows, kvHeads, headSize]),
  );
}

/** Steps as rows' entries. // [T, P, K, D] → [P, K, T, D] */
function intoRows(graph: Graph, steps: Value): Value {
  return transpose(graph, steps, [1, 2, 0, 3]);
}

function blockOutputs(graph: Graph, logits: Value): void {
  const blocks = Math.ceil((logits.shape[1] as number) / BLOCK);
  const missing = blocks * BLOCK - (logits.shape[1] as number);
  const pads = [graph.constant("int64", [4], [0, 0, 0, missing]), graph.scalar(MASKED)];
  const whole =
    missing === 0 ? logits : graph.node("Pad", [logits, ...pads], logits.dtype, ["N", blocks * BLOCK]);
  const apart = reshape(graph, whole, ["N", blocks, BLOCK]);
  const largest = (x: Value, shape: Shape, keepDims: boolean) =>
    graph.node("ReduceMax", [x, graph.constant("int64", [1], [-1])], x.dtype, shape, {
      attributes: { keepdims: { int: Number(keepDims) } },
    });
  const highest = largest(apart, ["N", blocks], false);
  const top = reshape(graph, largest(highest, ["N", 1], true), ["N", 1, 1]);
  const inverse = graph.input("inverse_temperature", graph.float, []);
  const masses = exp(graph, mul(graph, sub(graph, apart, top), inverse));
  graph.output("block_highest", highest);
  graph.output("block_masses", sum(graph, masses, { axes: [-1] }));
}

type Groups = Omit<SharedSeen, keyof Seen>;

/** What a layer's groups share. */
function sharedInputs(graph: Graph, config: ModelConfig, layer: number, groups: Groups): SharedSeen {
  return { ...groups, ...seenInputs(graph, config, layer, "shared", ["R", "W"]) };
}

function seenInputs(
  graph: Graph,
  { kvHeads, headSize }: ModelConfig,
  layer: number,
  name: string,
  [rows, length]: readonly [string, string],
): Seen {
  const shape = [rows, kvHeads, length, headSize];
  const input = (part: string) => graph.input(`${name}_${part}.${layer}`, graph.float, shape);
  return { keys: input("keys"), values: input("values") };
}

/** R groups of at most M tokens each (shared-prefix.ts), over rows and the tokens of a row. */
function groupInputs(graph: Graph, { heads, kvHeads }: ModelConfig, [rows, width]: [Dim, Dim]): Groups {
  const perKey = heads / kvHeads;
  const groups = ["R", kvHeads, "M", perKey];
  return {
    groupQueries: graph.input("group_queries", "int64", groups),
    groupRows: graph.input("group_rows", "int64", groups),
    rowGroups: graph.input("row_groups", "int64", [rows, kvHeads, perKey, width]),
  };
}
