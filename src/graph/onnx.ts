/**
 * A graph as ONNX protobuf bytes (onnx.proto3: ModelProto and what it holds). Field numbers are given by name below;
 * must not know what the ops mean.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { integer, message, text } from "../core/protobuf.ts";
import type { Attribute, Graph, Node, TensorData } from "./graph.ts";
import { fileOrder } from "./order.ts";
import type { DType, Value } from "./value.ts";

const IR_VERSION = 9;
const OPSET_VERSION = 20;
const MICROSOFT_OPSET_VERSION = 1;

/** onnx.TensorProto.DataType */
const DATA_TYPE: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int64: 7,
  bool: 9,
  float64: 11,
};
/** onnx.AttributeProto.AttributeType */
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 };

/** onnx.TensorProto.DataLocation */
const EXTERNAL = 1;

/** Where the numbers of a large constant lie when they are not in the file itself. */
export interface ExternalData {
  /** File beside the model's. */
  location: string;
  /** Bytes. */
  offset: number;
  length: number;
}

/** `external` names the constants that are left out, by name. */
export function encodeOnnx(
  graph: Graph,
  external: ReadonlyMap<string, ExternalData> = new Map(),
): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int64(IR_VERSION);
  message(writer, 7, (w) => writeGraph(w, graph, external));
  message(writer, 8, (w) => writeOpset(w, "", OPSET_VERSION));
  message(writer, 8, (w) => writeOpset(w, "com.microsoft", MICROSOFT_OPSET_VERSION));
  return writer.finish();
}

function writeOpset(writer: BinaryWriter, domain: string, version: number): void {
  text(writer, 1, domain);
  integer(writer, 2, version);
}

function writeGraph(writer: BinaryWriter, graph: Graph, external: ReadonlyMap<string, ExternalData>): void {
  for (const node of fileOrder(graph)) message(writer, 1, (w) => writeNode(w, node, graph.outputNames));
  text(writer, 2, "mulligan");
  for (const { value, data } of graph.constants) {
    message(writer, 5, (w) => writeTensor(w, value, external.get(value.name) ?? data));
  }
  for (const value of graph.inputs) message(writer, 11, (w) => writeValueInfo(w, value));
  for (const value of graph.outputs) message(writer, 12, (w) => writeValueInfo(w, value));
}

function writeNode(writer: BinaryWriter, node: Node, renamed: ReadonlyMap<string, string>): void {
  for (const name of node.inputs) text(writer, 1, renamed.get(name) ?? name);
  for (const name of node.outputs) text(writer, 2, renamed.get(name) ?? name);
  text(writer, 4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    message(writer, 5, (w) => writeAttribute(w, name, attribute));
  }
  if (node.domain) text(writer, 7, node.domain);
}

function writeAttribute(writer: BinaryWriter, name: string, attribute: Attribute): void {
  text(writer, 1, name);
  if ("float" in attribute) writer.tag(2, WireType.Bit32).float(attribute.float);
  else if ("int" in attribute) integer(writer, 3, attribute.int);
  else if ("string" in attribute) text(writer, 4, attribute.string);
  else for (const value of attribute.ints) integer(writer, 8, value);
  const kind = Object.keys(attribute)[0] as keyof typeof ATTRIBUTE_TYPE;
  integer(writer, 20, ATTRIBUTE_TYPE[kind]);
}

function writeTensor(writer: BinaryWriter, value: Value, data: TensorData | ExternalData): void {
  for (const dim of value.shape) integer(writer, 1, dim as number);
  integer(writer, 2, DATA_TYPE[value.dtype]);
  text(writer, 8, value.name);
  if ("location" in data) {
    for (const [key, entry] of Object.entries(data)) {
      message(writer, 13, (w) => {
        text(w, 1, key);
        text(w, 2, String(entry));
      });
    }
    integer(writer, 14, EXTERNAL);
    return;
  }
  writer
    .tag(9, WireType.LengthDelimited)
    .bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValueInfo(writer: BinaryWriter, value: Value): void {
  text(writer, 1, value.name);
  message(writer, 2, (type) =>
    message(type, 1, (tensor) => {
      integer(tensor, 1, DATA_TYPE[value.dtype]);
      message(tensor, 2, (shape) => {
        for (const dim of value.shape) {
          message(shape, 1, (w) => (typeof dim === "string" ? text(w, 2, dim) : integer(w, 1, dim)));
        }
      });
    }),
  );
}
