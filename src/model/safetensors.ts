/**
 * Reads and writes one safetensors file: 8 bytes of header length, a JSON header, raw little-endian tensors. Reads by
 * ranges, so a file may be larger than memory; writes whole or not at all. Must not know models or folders.
 */
import { type FileHandle, open } from "node:fs/promises";
import { writeWhole } from "../core/atomic-file.ts";
import { MulliganError } from "../core/errors.ts";
import { bfloat16FromFloat32, float16FromFloat32, float32FromBfloat16, float32FromFloat16 } from "./half.ts";
import {
  bytesPerValue,
  type Dtype,
  type Header,
  makeHeader,
  parseHeader,
  parseHeaderLength,
  showShape,
  sizeOf,
  type TensorEntry,
} from "./safetensors-header.ts";

export interface Tensor {
  name: string;
  shape: readonly number[];
  /** Row-major; as many values as the shape says. */
  data: Float32Array;
}

/** A tensor, or one whose values are made or read when its turn to be written has come. */
export type TensorToWrite = Omit<Tensor, "data"> & {
  data: Float32Array | (() => Float32Array | Promise<Float32Array>);
};

export interface ReadOptions {
  /** The shape the tensor must have. */
  shape?: readonly number[];
  /** Where to put the values, instead of a new array; as long as the tensor. */
  into?: Float32Array;
  /** Hint of the error when the tensor is missing or has another shape. */
  hint?: string;
}

export interface SafetensorsFile extends Header {
  readonly path: string;
  /** Throws as `read` does, and reads nothing: whoever makes room for tensors asks first. */
  check(name: string, options?: Pick<ReadOptions, "shape" | "hint">): void;
  /** Reads one tensor as float32. Throws `MulliganError("checkpoint")` when it is missing or of another shape. */
  read(name: string, options?: ReadOptions): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface WriteOptions {
  /** Default F32. The 16-bit types round to nearest even. */
  dtype?: Dtype;
  /** Default `{ format: "pt" }`, which transformers asks for. */
  metadata?: Readonly<Record<string, string>>;
}

/** Values converted or written at a time: bounds the memory beside the tensors themselves. */
const CHUNK_VALUES = 1 << 20;

/** Opens a file and checks its header. Throws `MulliganError("checkpoint")` that names the file and what is wrong. */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    throw new MulliganError("checkpoint", `${path}: cannot be opened (${cause.code})`, { cause });
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new MulliganError("checkpoint", `${path}: must be a file`);
    const lengthBytes = await readFully(file, path, new Uint8Array(Math.min(8, stat.size)), 0);
    const length = parseHeaderLength(path, lengthBytes, stat.size);
    const header = parseHeader(path, await readFully(file, path, new Uint8Array(length), 8), stat.size);
    return {
      ...header,
      path,
      check: (name, options = {}) => checkEntry(path, name, header.tensors.get(name), options),
      read: (name, options = {}) => readTensor(file, path, name, header.tensors.get(name), options),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Writes the tensors, in this order, under a temporary name that becomes `path` once all is on the disk.
 * Throws `MulliganError("io")`.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  { dtype = "F32", metadata = { format: "pt" } }: WriteOptions = {},
): Promise<void> {
  const header = makeHeader(tensors, dtype, metadata);
  await writeWhole(path, async (write) => {
    await write(header);
    for (const tensor of tensors) {
      const data = await valuesOf(tensor);
      for (let start = 0; start < data.length; start += CHUNK_VALUES) {
        await write(encode(data.subarray(start, start + CHUNK_VALUES), dtype));
      }
    }
  });
}

async function valuesOf({ name, shape, data }: TensorToWrite): Promise<Float32Array> {
  const values = typeof data === "function" ? await data() : data;
  if (values.length === sizeOf(shape)) return values;
  throw new RangeError(`tensor "${name}" of shape ${showShape(shape)} must not have ${values.length} values`);
}

/** Checks that a tensor is there, has the shape asked for and can be read. Throws `MulliganError("checkpoint")`. */
function checkEntry(
  path: string,
  name: string,
  entry: TensorEntry | undefined,
  { shape, hint }: ReadOptions,
): asserts entry is TensorEntry & { dtype: Dtype } {
  const fail = (what: string) => {
    throw new MulliganError(
      "checkpoint",
      `${path}: tensor "${name}" ${what}`,
      hint === undefined ? {} : { hint },
    );
  };
  if (!entry) fail(shape ? `is missing, expected shape ${showShape(shape)}` : "is missing");
  else if (shape && showShape(entry.shape) !== showShape(shape)) {
    fail(`has shape ${showShape(entry.shape)}, expected ${showShape(shape)}`);
  }
  if (entry && !Object.hasOwn(bytesPerValue, entry.dtype)) {
    throw new MulliganError(
      "checkpoint",
      `${path}: tensor "${name}" must be F32, F16 or BF16, got ${entry.dtype}`,
      {
        hint: "quantised checkpoints are not supported: take the original weights",
      },
    );
  }
}

async function readTensor(
  file: FileHandle,
  path: string,
  name: string,
  entry: TensorEntry | undefined,
  options: ReadOptions,
): Promise<Float32Array> {
  checkEntry(path, name, entry, options);
  const { dtype, position, size } = entry;
  const into = options.into ?? new Float32Array(size);
  if (into.length !== size) {
    throw new RangeError(`${path}: tensor "${name}" of ${size} values must not go into ${into.length}`);
  }
  for (let start = 0; start < size; start += CHUNK_VALUES) {
    const chunk = into.subarray(start, start + CHUNK_VALUES);
    const from = position + start * bytesPerValue[dtype];
    if (dtype === "F32") {
      await readFully(file, path, bytesOf(chunk), from);
    } else {
      const halves = new Uint16Array(chunk.length);
      await readFully(file, path, bytesOf(halves), from);
      (dtype === "F16" ? float32FromFloat16 : float32FromBfloat16)(halves, chunk);
    }
  }
  return into;
}

function encode(values: Float32Array, dtype: Dtype): Uint8Array {
  if (dtype === "F32") return bytesOf(values);
  return bytesOf(dtype === "F16" ? float16FromFloat32(values) : bfloat16FromFloat32(values));
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

async function readFully(file: FileHandle, path: string, bytes: Uint8Array, position: number) {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new MulliganError("checkpoint", `${path}: ended while it was being read`);
    done += bytesRead;
  }
  return bytes;
}
