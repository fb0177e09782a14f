/**
 * How much memory a graph's tensors take while it runs, without running it: each exists from the node that makes it to the
 * last that reads it. Inputs and constants are not counted: they exist anyway.
 */
import { MulliganError } from "../core/errors.ts";
import type { Graph, Node } from "./graph.ts";
import { fileOrder, runOrder } from "./order.ts";
import type { Dim, DType, Value } from "./value.ts";

const BYTES: Record<DType, number> = { float32: 4, float64: 8, int64: 8, int8: 1, uint8: 1, bool: 1 };

/** The same numbers under another shape or name: no memory of their own. */
const ALIASES = new Set(["Reshape", "Identity"]);

/** Ops whose result takes the place of an operand of its size that nobody reads any more. */
const IN_PLACE = new Set([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Neg",
  "Exp",
  "Log",
  "Sqrt",
  "Sigmoid",
  "Softmax",
  "LogSoftmax",
]);

export interface GraphMemory {
  /** The most bytes that exist at once between inputs and outputs. */
  peak: number;
  /** Bytes of the outputs: all exist at the end, in memory of the runtime's or of the caller's (session.ts). */
  outputs: number;
}

/** `dims` gives each input's sizes, as its feed has them. Throws an error where they leave a symbol open. */
export function graphMemory(graph: Graph, dims: Readonly<Record<string, readonly number[]>>): GraphMemory {
  const sizeOf = createSizes(graph, dims);
  const order = runOrder(fileOrder(graph));
  const outputs = outputsOf(graph);
  const readers = new Map<string, number>();
  for (const name of [...order.flatMap(({ inputs }) => inputs), ...outputs]) {
    readers.set(name, (readers.get(name) ?? 0) + 1);
  }

  /** The tensor whose memory a value lies in, and how many reads of a tensor are still to come. */
  const home = new Map<string, string>();
  const open = new Map<string, number>();
  const bytes = new Map<string, number>();
  let [current, peak] = [0, 0];
  const release = (name: string) => {
    const left = open.get(name)! - 1;
    open.set(name, left);
    if (left === 0) current -= bytes.get(name)!;
  };
  for (const node of order) {
    const operands = node.inputs.flatMap((name) => home.get(name) ?? []);
    for (const name of node.outputs) {
      const size = outputs.has(name) ? 0 : sizeOf(name);
      const place = placeFor(node, name, size);
      if (place === undefined) continue;
      home.set(name, place);
      open.set(place, (open.get(place) ?? 0) + (readers.get(name) ?? 0));
      if (place !== name) continue;
      bytes.set(name, size);
      current += size;
    }
    peak = Math.max(peak, current);
    for (const name of operands) release(name);
    for (const name of node.outputs)
      if (home.get(name) === name && open.get(name) === 0) current -= bytes.get(name)!;
  }
  return { peak, outputs: [...outputs].reduce((sum, name) => sum + sizeOf(name), 0) };

  /** Where a node's result lies: in its own memory, or in an operand's, which is none for what lies in an input. */
  function placeFor({ op, inputs }: Node, name: string, size: number): string | undefined {
    if (outputs.has(name)) return name;
    if (ALIASES.has(op)) return home.get(inputs[0]!);
    if (!IN_PLACE.has(op)) return name;
    const free = inputs.find((input) => {
      const place = home.get(input);
      const reads = inputs.filter((other) => home.get(other) === place).length;
      return place !== undefined && bytes.get(place) === size && open.get(place) === reads;
    });
    return free === undefined ? name : home.get(free)!;
  }
}

/** Bytes of a value whose sizes are all known. */
export function bytesOf({ dtype, shape }: Value): number {
  return shape.reduce<number>((product, dim) => product * Number(dim), BYTES[dtype]);
}

/** Names of the values that leave the graph, as its nodes call them. */
function outputsOf({ outputs, outputNames }: Graph): Set<string> {
  const inner = new Map([...outputNames].map(([name, output]) => [output, name]));
  return new Set(outputs.map(({ name }) => inner.get(name) ?? name));
}

/** Bytes of each value of the graph. */
function createSizes(
  graph: Graph,
  dims: Readonly<Record<string, readonly number[]>>,
): (name: string) => number {
  const symbols = new Map<string, number>();
  for (const { name, shape } of graph.inputs) {
    shape.forEach((dim, i) => void (typeof dim === "string" && symbols.set(dim, dims[name]![i]!)));
  }
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const evaluate = (dim: Dim): number => {
    const size = typeof dim === "number" ? dim : (symbols.get(dim) ?? productOf(dim));
    if (Number.isNaN(size))
      throw new MulliganError("graph", `graphMemory: no input tells the size of "${dim}"`);
    return size;
  };
  const productOf = (dim: string): number =>
    dim.includes("*") ? dim.split("*").reduce((product, part) => product * evaluate(part), 1) : Number(dim);
  const sizeOf = (name: string): number => {
    const maker = makers.get(name);
    // how many rows some have below each other is known at run time only
    if (maker?.op === "Concat") return maker.inputs.reduce((sum, input) => sum + sizeOf(input), 0);
    const { dtype, shape } = graph.values.get(name)!;
    return shape.reduce<number>((product, dim) => product * evaluate(dim), BYTES[dtype]);
  };
  return sizeOf;
}
