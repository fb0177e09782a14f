/**
 * Causal attention over trees of tokens: a token sees its ancestors and what comes before it in its own segment, and no
 * other branch. Levels are handled apart, so that no score of a token against another branch is computed.
 * Shapes: B roots, K key heads, G query heads per key head, C1…Cl branches down to level l, Nl tokens of a segment.
 */
import {
  add,
  type Dim,
  type Graph,
  graphError,
  matmul,
  mul,
  multiplyDims,
  reshape,
  type Shape,
  softmax,
  split,
  sub,
  sum,
  type Value,
  withoutTape,
} from "../graph/index.ts";
import { maskName, maskWindows, type Windowed } from "./window.ts";

/** Where a level's rows come from; slots without a token take any row, and the mask hides their keys. */
export interface TreeLevel {
  /** Rows of the table. // int64 [B, K, C1…Cl, G, Nl] */
  queries: Value;
  /** Rows of the table. // int64 [B, K, C1…Cl, Nl] */
  keys: Value;
  values: Value;
  /** Added to the scores: 0 = may see. // broadcasts to [B, K, C1…Cl, G, Nl, N0+…+Nl] */
  mask: Value;
}

export interface TreeLayout {
  levels: TreeLevel[];
  /** For each token and head its row among the levels' outputs, one level after the other. // int64 [N, H] */
  mixed: Value;
  /** For the derivative. */
  back?: {
    /** For each level its outputs' rows among those of the tokens' heads. // int64 [B, K, C1…Cl, G, Nl] */
    outputs: Value[];
    /** For each row of the table its row among the derivatives: all levels' queries, then keys, then values. // int64 [N·(H+2K)] */
    table: Value;
  };
}

export interface TreeShape extends Windowed {
  heads: number;
  kvHeads: number;
  levels: number;
  /** Is a derivative needed? */
  back: boolean;
  /** Symbols of the lengths of caches that the tokens also see. */
  past?: readonly string[];
}

/** Inputs of the graph for a tree, as they are for each layer: layers differ by their masks alone. */
export function treeLayoutInputs(graph: Graph, shape: TreeShape): (layer: number) => TreeLayout {
  const { heads, kvHeads, levels, back, past = [] } = shape;
  const widths = Array.from({ length: levels }, (_, k) => `N${k}`);
  const lead = (l: number) => ["B", kvHeads, ...widths.slice(1, l + 1).map((_, k) => `C${k + 1}`)];
  const perHead = (l: number) => [...lead(l), heads / kvHeads, widths[l]!];
  const rows = (name: string, shape: Shape) => graph.input(name, "int64", shape);
  const maskShape = (l: number) => {
    if (l === 0 && past.length === 0) return [widths[0]!, widths[0]!];
    return ["B", 1, ...lead(l).slice(2), 1, widths[l]!, joinedWidth([...past, ...widths.slice(0, l + 1)])];
  };
  const masks = new Map(
    maskWindows(shape).map(([name]) => [
      name,
      widths.map((_, l) => graph.input(`${name}.${l}`, graph.float, maskShape(l))),
    ]),
  );
  const indices = widths.map((width, l) => ({
    queries: rows(`queries.${l}`, perHead(l)),
    keys: rows(`keys.${l}`, [...lead(l), width]),
    values: rows(`values.${l}`, [...lead(l), width]),
  }));
  const rest = {
    mixed: rows("mixed", ["N", heads]),
    ...(back && {
      back: {
        outputs: widths.map((_, l) => rows(`outputs.${l}`, perHead(l))),
        table: rows("table", [multiplyDims(["N", heads + 2 * kvHeads])]),
      },
    }),
  };
  return (layer) => {
    const mask = masks.get(maskName(shape, layer))!;
    return { ...rest, levels: indices.map((level, l) => ({ ...level, mask: mask[l]! })) };
  };
}

/** Keys and values that later tokens see. // [B, K, C1…Ck, Nk, D] */
export interface Seen {
  keys: Value;
  values: Value;
}

/** What a level's forward pass leaves for its derivative. */
interface Attended extends Seen {
  queries: Value;
  /** Against each level from the root down to its own. // [B, K, C1…Cl, G, Nl, Nk] */
  probabilities: Value[];
  /** [B, K, C1…Cl, G, Nl, D] */
  output: Value;
}

/**
 * softmax(q·kᵀ + mask)·v for every token of the trees. The table holds each token's query heads, key heads and value
 * heads, rotated, the queries also divided by √D (rope-tables.ts). // [N·(H+2K), 1, D] → [N, H·D]
 */
export function treeAttention(graph: Graph, rows: Value, layout: TreeLayout): Value {
  const table = asTable(graph, rows);
  const [tokens, heads] = layout.mixed.shape as [string, number];
  const size = table.shape[1] as number;
  const levels: Attended[] = [];
  const output = withoutTape(graph, () => {
    for (const level of layout.levels) levels.push(attend(graph, table, level, levels));
    return mix(
      graph,
      levels.map((level) => level.output),
      layout.mixed,
    );
  });
  graph.record({
    inputs: [table],
    output,
    backward: (d) => [
      () =>
        withoutTape(graph, () =>
          derive(graph, reshape(graph, d, [multiplyDims([tokens, heads]), size]), layout, levels),
        ),
    ],
  });
  return output;
}

/** What new tokens see that is computed already: each row's own cache [B, K, S, D], and what its group shares. */
export interface SeenBefore {
  past: Seen;
  shared?: SharedSeen;
}

/** What groups of rows see in common [groups, K, W, D], and the way between rows' tokens and groups. */
export interface SharedSeen extends Seen {
  /** Query heads of each group's tokens among all heads, and among the rows' queries. // int64 [groups, K, tokens, G] */
  groupQueries: Value;
  groupRows: Value;
  /** Place of each row's queries among the groups'. // int64 [B, K, G, T] */
  rowGroups: Value;
}

/**
 * The same for rows of new tokens over caches, which are only read: scores against them and against the new tokens are
 * joined before the softmax. Rows of a group read what they share together. No derivative.
 * // rows [N·(H+2K), 1, D] → [N, H·D]
 */
export function cachedAttention(
  graph: Graph,
  rows: Value,
  { levels, mixed }: Pick<TreeLayout, "levels" | "mixed">,
  { past, shared }: SeenBefore,
): Value {
  const table = asTable(graph, rows);
  return withoutTape(graph, () =>
    mix(graph, [attend(graph, table, levels[0]!, [past], shared).output], mixed),
  );
}

/** // [N·(H+2K), 1, D] → [N·(H+2K), D] */
function asTable(graph: Graph, rows: Value): Value {
  return reshape(graph, rows, [rows.shape[0]!, rows.shape[2]!]);
}

/** A token's heads by kind. // [N, H or K, 1, D] */
export interface SplitHeads {
  queries: Value;
  keys: Value;
  values: Value;
}

/** // [N·(H+2K), 1, D] → [N, H, 1, D], [N, K, 1, D], [N, K, 1, D] */
export function splitHeads(
  graph: Graph,
  { heads, kvHeads }: { heads: number; kvHeads: number },
  rows: Value,
): SplitHeads {
  const apart = reshape(graph, rows, ["N", heads + 2 * kvHeads, 1, rows.shape[2]!]);
  const sizes = [heads, kvHeads, kvHeads];
  const [queries, keys, values] = split(graph, apart, 1, sizes) as [Value, Value, Value];
  return { queries, keys, values };
}

/** What one new token of each row sees: before it, and since then. */
export interface StepSeen {
  past?: Seen;
  shared?: SharedSeen;
  /** Of the steps since the cache was made. // [N, K, T, D] */
  recent: Seen;
  /** // [N, 1, 1, (W +) (S +) T + 1] */
  mask: Value;
}

/**
 * The same for one new token per row, with few nodes: at this size each costs more than what it computes.
 * // → [N, H·D]
 */
export function stepAttention(
  graph: Graph,
  { rows, queries, keys: key, values: value }: SplitHeads & { rows: Value },
  { past, shared, recent, mask }: StepSeen,
): Value {
  return withoutTape(graph, () => {
    const [, heads, , size] = queries.shape as [string, number, number, number];
    const kvHeads = key.shape[1] as number;
    const perKey = heads / kvHeads;
    const grouped = reshape(graph, queries, ["N", kvHeads, perKey, size]);
    const flat = (x: Value) => reshape(graph, x, ["N", heads * size]);
    const before = [...(past ? [past] : []), recent];
    const scores = join(graph, [
      ...(shared ? [withoutTokens(graph, sharedScores(graph, asTable(graph, rows), shared))] : []),
      ...before.map(({ keys }) => matmul(graph, grouped, keys, { transB: true })),
      // Against the new token itself: for one key a sum of products is faster than a product of matrices.
      sum(graph, mul(graph, grouped, key), { axes: [-1], keepDims: true }),
    ]);
    const masked = graph.node("Add", [scores, mask], rows.dtype, scores.shape);
    const widths = [...(shared ? [shared] : []), ...before].map(({ keys }) => keys.shape.at(-2)!);
    const probabilities = cut(graph, softmax(graph, masked), [...widths, 1]);
    const ofBefore = probabilities.slice(-1 - before.length);
    const mixed = before.map(({ values }, i) => matmul(graph, ofBefore[i]!, values));
    const all = flat([...mixed, mul(graph, probabilities.at(-1)!, value)].reduce((a, b) => add(graph, a, b)));
    return shared ? add(graph, all, flat(sharedMix(graph, probabilities[0]!, shared))) : all;
  });
}

/** // [N, K, G, 1, X] → [N, K, G, X] */
function withoutTokens(graph: Graph, x: Value): Value {
  const shape = [...x.shape.slice(0, 3), x.shape[4]!];
  return graph.node("Reshape", [x, graph.constant("int64", [4], [0, 0, 0, -1])], x.dtype, shape);
}

/** // table [N·(H+2K), D] → [B, K, G, T, W] */
function sharedScores(graph: Graph, table: Value, shared: SharedSeen): Value {
  const queries = over(graph, take(graph, table, shared.groupQueries), shared.keys);
  const scores = matmul(graph, queries, shared.keys, { transB: true });
  return take(graph, below(graph, scores), shared.rowGroups);
}

/** // probabilities [B, K, G, T, W] → [B, K, G, T, D] */
function sharedMix(graph: Graph, probabilities: Value, shared: SharedSeen): Value {
  const grouped = over(graph, take(graph, below(graph, probabilities), shared.groupRows), shared.values);
  return take(graph, below(graph, matmul(graph, grouped, shared.values)), shared.rowGroups);
}

/** All but the last axis as one. */
function below(graph: Graph, x: Value): Value {
  return reshape(graph, x, [multiplyDims(x.shape.slice(0, -1)), x.shape.at(-1)!]);
}

/** The levels' outputs in the order of the tokens. */
function mix(graph: Graph, outputs: readonly Value[], mixed: Value): Value {
  const [tokens, heads] = mixed.shape as [string, number];
  const size = outputs[0]!.shape.at(-1) as number;
  return reshape(graph, take(graph, stack(graph, outputs, size), mixed), [tokens, heads * size]);
}

function attend(
  graph: Graph,
  table: Value,
  level: TreeLevel,
  above: readonly Seen[],
  shared?: SharedSeen,
): Attended {
  const [queries, keys, values] = [level.queries, level.keys, level.values].map((rows) =>
    take(graph, table, rows),
  ) as [Value, Value, Value];
  const parts = [...above, { keys, values }];
  const scores = parts.map((part) =>
    asRows(graph, matmul(graph, over(graph, queries, part.keys), part.keys, { transB: true }), queries),
  );
  const joined = join(graph, shared ? [sharedScores(graph, table, shared), ...scores] : scores);
  const masked = graph.node("Add", [joined, level.mask], queries.dtype, joined.shape);
  const widths = [...(shared ? [shared] : []), ...parts].map((part) => part.keys.shape.at(-2)!);
  const all = cut(graph, softmax(graph, masked), widths);
  const probabilities = shared ? all.slice(1) : all;
  const output = probabilities
    .map((p, k) => {
      const { values: seen } = parts[k]!;
      return asRows(graph, matmul(graph, over(graph, p, seen), seen), queries);
    })
    .concat(shared ? [sharedMix(graph, all[0]!, shared)] : [])
    .reduce((a, b) => graph.node("Add", [a, b], a.dtype, a.shape));
  return { queries, keys, values, probabilities, output };
}

/**
 * The derivative of the table. With dP = dO·vᵀ: dS = P ∘ (dP − Σ dO∘O), since Σ over all keys of dP∘P is Σ dO∘O
 * (Dao 2022, FlashAttention, appendix B.2); dq = dS·k, dk = dSᵀ·q, dv = Pᵀ·dO.
 */
function derive(graph: Graph, dRows: Value, { back }: TreeLayout, levels: readonly Attended[]): Value {
  if (!back) throw graphError("treeAttention", "the layout must have the rows of the derivative", dRows);
  const sums = new Map<Value, Value>();
  const accumulate = (of: Value, d: Value) => {
    const shaped = d.shape.length === of.shape.length ? d : asRows(graph, d, of);
    const earlier = sums.get(of);
    sums.set(of, earlier ? graph.node("Add", [earlier, shaped], d.dtype, of.shape) : shaped);
  };
  levels.forEach(({ queries, probabilities, output }, l) => {
    const dOutput = take(graph, dRows, back.outputs[l]!);
    const inner = sum(graph, mul(graph, dOutput, output), { axes: [-1], keepDims: true });
    probabilities.forEach((p, k) => {
      const { keys, values } = levels[k]!;
      const dOver = over(graph, dOutput, values);
      const dP = asRows(graph, matmul(graph, dOver, values, { transB: true }), queries);
      const dScores = over(graph, mul(graph, p, sub(graph, dP, inner)), keys);
      accumulate(queries, matmul(graph, dScores, keys));
      accumulate(keys, matmul(graph, dScores, over(graph, queries, keys), { transA: true }));
      accumulate(values, matmul(graph, over(graph, p, values), dOver, { transA: true }));
    });
  });
  const size = dRows.shape[1] as number;
  const parts = (["queries", "keys", "values"] as const).flatMap((part) =>
    levels.map((level) => sums.get(level[part])!),
  );
  return take(graph, stack(graph, parts, size), back.table);
}

const joinedWidth = (widths: readonly Dim[]): Dim =>
  widths.length === 1 ? widths[0]! : `(${widths.join("+")})`;

/** Rows of a table by index. // [R, D], int64 [...] → [..., D] */
function take(graph: Graph, table: Value, rows: Value): Value {
  return graph.node("Gather", [table, rows], table.dtype, [...rows.shape, table.shape[1]!], {
    attributes: { axis: { int: 0 } },
  });
}

/**
 * A level's rows as rows over an ancestor's keys: its branches below the ancestor, heads and tokens become one axis.
 * // [B, K, C1…Cl, G, Nl, X] over [B, K, C1…Ck, Nk, D] → [B, K, C1…Ck, Ck+1·…·Cl·G·Nl, X]
 */
function over(graph: Graph, x: Value, keys: Value): Value {
  const lead = keys.shape.length - 2;
  return reshape(graph, x, [
    ...x.shape.slice(0, lead),
    multiplyDims(x.shape.slice(lead, -1)),
    x.shape.at(-1)!,
  ]);
}

/** Undoes `over`: the axes of a level's rows, with the last axis of x. */
function asRows(graph: Graph, x: Value, like: Value): Value {
  return reshape(graph, x, [...like.shape.slice(0, -1), x.shape.at(-1)!]);
}

function join(graph: Graph, parts: readonly Value[]): Value {
  if (parts.length === 1) return parts[0]!;
  const width = joinedWidth(parts.map((part) => part.shape.at(-1)!));
  return graph.node("Concat", parts, parts[0]!.dtype, [...parts[0]!.shape.slice(0, -1), width], {
    attributes: { axis: { int: -1 } },
  });
}

function cut(graph: Graph, x: Value, widths: readonly Dim[]): Value[] {
  if (widths.length === 1) return [x];
  const lead = x.shape.slice(0, -1);
  return graph.nodeWithOutputs(
    "Split",
    [x, graph.shapeTensor(widths, true)],
    widths.map((width) => ({ dtype: x.dtype, shape: [...lead, width] })),
    { attributes: { axis: { int: -1 } } },
  );
}

/** All rows of width `size` below each other. The number of rows is known at run time only. */
function stack(graph: Graph, parts: readonly Value[], size: number): Value {
  const flat = parts.map((part) => {
    const shape = graph.constant("int64", [2], [-1, size]);
    return graph.node("Reshape", [part, shape], part.dtype, [multiplyDims(part.shape.slice(0, -1)), size]);
  });
  if (flat.length === 1) return flat[0]!;
  return graph.node("Concat", flat, flat[0]!.dtype, ["R", size], { attributes: { axis: { int: 0 } } });
}
