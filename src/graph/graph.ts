/**
 * A graph under construction: ONNX nodes plus a tape of how each op's derivative is emitted. Ops are free functions in
 * ops/; this file only keeps the books. Knows nothing of language models.
 */
import { MulliganError } from "../core/errors.ts";
import { type Dim, type DType, type FloatType, formatShape, type Shape, type Value } from "./value.ts";

export type Attribute =
  | { int: number }
  | { float: number }
  | { ints: readonly number[] }
  | { string: string };
export type TensorData = Float32Array | Float64Array | BigInt64Array | Int8Array | Uint8Array;

export interface Node {
  op: string;
  domain: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

/** How to send the derivative of an output back: one thunk per input, null where none flows. */
export interface TapeEntry {
  inputs: readonly Value[];
  output: Value;
  /** `asked` names the values whose derivatives are wanted, on the way to others or for themselves. */
  backward: (dOutput: Value, asked: ReadonlySet<string>) => readonly ((() => Value) | null)[];
}

export interface NodeOptions {
  attributes?: Record<string, Attribute>;
  /** Default: the standard ONNX operators. */
  domain?: "com.microsoft";
}

export interface Graph {
  /** The float type of this graph: float32 to run, float64 to check derivatives. */
  readonly float: FloatType;
  readonly nodes: readonly Node[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly constants: readonly { value: Value; data: TensorData }[];
  readonly tape: TapeEntry[];
  /** All by name: inputs, constants, and what nodes make. */
  readonly values: ReadonlyMap<string, Value>;
  /** Values that go by their output's name: no copy is needed to give them one. */
  readonly outputNames: ReadonlyMap<string, string>;
  input(name: string, dtype: DType, shape: Shape): Value;
  /** Declares a value as an output under a name of its own. */
  output(name: string, value: Value): Value;
  constant(dtype: DType, shape: readonly number[], numbers: readonly number[]): Value;
  /** A float scalar of the graph's float type. */
  scalar(number: number): Value;
  node(op: string, inputs: readonly Value[], dtype: DType, shape: Shape, options?: NodeOptions): Value;
  /** A node with several outputs. */
  nodeWithOutputs(
    op: string,
    inputs: readonly Value[],
    outputs: readonly { dtype: DType; shape: Shape }[],
    options?: NodeOptions,
  ): Value[];
  /**
   * A shape as an int64 tensor; symbols are read off the inputs' real shapes. A lone symbol becomes −1, which Reshape
   * infers, unless the shape must be `exact`.
   */
  shapeTensor(shape: Shape, exact?: boolean): Value;
  record(entry: TapeEntry): void;
}

export function createGraph(float: FloatType = "float32"): Graph {
  const nodes: Node[] = [];
  const inputs: Value[] = [];
  const outputs: Value[] = [];
  const constants: { value: Value; data: TensorData }[] = [];
  const constantCache = new Map<string, Value>();
  const dimCache = new Map<string, Value>();
  const tape: TapeEntry[] = [];
  const values = new Map<string, Value>();
  const outputNames = new Map<string, string>();
  let counter = 0;

  const graph: Graph = {
    float,
    nodes,
    inputs,
    outputs,
    constants,
    tape,
    values,
    outputNames,
    input(name, dtype, shape) {
      if (inputs.some((value) => value.name === name)) {
        throw new MulliganError("graph", `input: the name must be new, got "${name}" twice`);
      }
      const value = { name, dtype, shape };
      inputs.push(value);
      values.set(name, value);
      return value;
    },
    output(name, value) {
      if (!outputNames.has(value.name) && nodes.some((node) => node.outputs.includes(value.name))) {
        outputNames.set(value.name, name);
      } else {
        nodes.push({ op: "Identity", domain: "", inputs: [value.name], outputs: [name], attributes: {} });
      }
      const output = { ...value, name };
      outputs.push(output);
      values.set(name, output);
      return output;
    },
    constant(dtype, shape, numbers) {
      const size = shape.reduce((a, b) => a * b, 1);
      if (numbers.length !== size) {
        throw new MulliganError(
          "graph",
          `constant: ${formatShape(shape)} needs ${size} numbers, got ${numbers.length}`,
        );
      }
      const key = `${dtype}${formatShape(shape)}${numbers.join()}`;
      let value = constantCache.get(key);
      if (!value) {
        value = { name: `c${constants.length}`, dtype, shape };
        constants.push({ value, data: toTensorData(dtype, numbers) });
        constantCache.set(key, value);
        values.set(value.name, value);
      }
      return value;
    },
    scalar: (number) => graph.constant(float, [], [number]),
    node: (op, nodeInputs, dtype, shape, options) =>
      graph.nodeWithOutputs(op, nodeInputs, [{ dtype, shape }], options)[0]!,
    nodeWithOutputs(op, nodeInputs, types, options = {}) {
      const made = types.map((type) => ({ name: `v${counter++}`, ...type }));
      for (const value of made) values.set(value.name, value);
      nodes.push({
        op,
        domain: options.domain ?? "",
        inputs: nodeInputs.map((value) => value.name),
        outputs: made.map((value) => value.name),
        attributes: options.attributes ?? {},
      });
      return made;
    },
    shapeTensor(shape, exact = false) {
      const symbolic = shape.filter((dim) => typeof dim === "string");
      if (symbolic.length <= (exact ? 0 : 1)) {
        const numbers = shape.map((dim) => (typeof dim === "string" ? -1 : dim));
        return graph.constant("int64", [shape.length], numbers);
      }
      const parts = shape.map((dim) =>
        typeof dim === "number" ? graph.constant("int64", [1], [dim]) : dimTensor(dim),
      );
      return graph.node("Concat", parts, "int64", [shape.length], { attributes: { axis: { int: 0 } } });
    },
    record: (entry) => void tape.push(entry),
  };

  /** The run-time size of a symbol or a product of symbols, as an int64 tensor of one element. */
  function dimTensor(dim: Dim): Value {
    const key = String(dim);
    const cached = dimCache.get(key);
    if (cached) return cached;
    const value = readDim(key) ?? productOfDims(key);
    dimCache.set(key, value);
    return value;
  }

  function readDim(symbol: string): Value | undefined {
    const input = inputs.find(({ shape }) => shape.includes(symbol));
    if (!input) return undefined;
    const start = input.shape.indexOf(symbol);
    return graph.node("Shape", [input], "int64", [1], {
      attributes: { start: { int: start }, end: { int: start + 1 } },
    });
  }

  function productOfDims(key: string): Value {
    if (!key.includes("*")) {
      throw new MulliganError("graph", `reshape: no input carries the symbolic dimension "${key}"`);
    }
    return key
      .split("*")
      .map((part) => (/^\d+$/.test(part) ? graph.constant("int64", [1], [Number(part)]) : dimTensor(part)))
      .reduce((a, b) => graph.node("Mul", [a, b], "int64", [1]));
  }

  return graph;
}

function toTensorData(dtype: DType, numbers: readonly number[]): TensorData {
  if (dtype === "float32") return Float32Array.from(numbers);
  if (dtype === "float64") return Float64Array.from(numbers);
  if (dtype === "bool" || dtype === "uint8") return Uint8Array.from(numbers);
  if (dtype === "int8") return Int8Array.from(numbers);
  return BigInt64Array.from(numbers, (n) => BigInt(n));
}

/** Builds nodes whose derivative the caller records as a whole. */
export function withoutTape<T>(graph: Graph, build: () => T): T {
  return recorded(graph, build).result;
}

/** Builds nodes, and takes what they recorded off the tape. */
export function recorded<T>(graph: Graph, build: () => T): { result: T; tape: TapeEntry[] } {
  const length = graph.tape.length;
  const result = build();
  return { result, tape: graph.tape.splice(length) };
}
