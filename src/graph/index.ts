/** ONNX graphs with derivatives: build, differentiate, run. */
export { checkpoint } from "./checkpoint.ts";
export { requireDevice } from "./device.ts";
export { freezeInputs } from "./freeze.ts";
export { gradients } from "./gradients.ts";
export { createGraph, type Graph, type TapeEntry, withoutTape } from "./graph.ts";
export { bytesOf, type GraphMemory, graphMemory } from "./memory.ts";
export { type ExternalData, encodeOnnx } from "./onnx.ts";
export * from "./ops/arithmetic.ts";
export { attention } from "./ops/attention.ts";
export { broadcastTo, reshape, sum, sumTo } from "./ops/broadcast.ts";
export { gather, takeRows } from "./ops/gather.ts";
export { linear, matmul, scale } from "./ops/matmul.ts";
export { rmsNorm } from "./ops/norm.ts";
export {
  NIBBLE_BLOCK,
  NIBBLE_ZERO,
  type QuantizedMatrix,
  quantizedLinear,
  quantizedRows,
  toFloat,
  unpackNibbles,
} from "./ops/quantized.ts";
export { type Rotation, rope } from "./ops/rope.ts";
export { concat, cutEqually, split, transpose } from "./ops/shape.ts";
export { logSoftmax, softmax, tokenLogprob } from "./ops/softmax.ts";
export {
  createSession,
  type Feed,
  type Feeds,
  type Result,
  type Session,
  type SessionOptions,
} from "./session.ts";
export {
  type Dim,
  type DType,
  type FloatType,
  formatShape,
  graphError,
  multiplyDims,
  type Shape,
  type Value,
} from "./value.ts";
