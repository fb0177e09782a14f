/**
 * The header of a safetensors file: names, dtypes, shapes and byte ranges as JSON. Reading checks every number before
 * anyone uses it; pure functions over bytes, no I/O.
 */
import { MulliganError } from "../core/errors.ts";
import { parseJson } from "../core/json-file.ts";

/** The dtypes that are read and written. */
export type Dtype = "F32" | "F16" | "BF16";

export const bytesPerValue: Readonly<Record<Dtype, number>> = { F32: 4, F16: 2, BF16: 2 };

const byteSizes: Readonly<Record<string, number>> = {
  ...bytesPerValue,
  ...{
    F64: 8,
    I64: 8,
    U64: 8,
    I32: 4,
    U32: 4,
    I16: 2,
    U16: 2,
    I8: 1,
    U8: 1,
    BOOL: 1,
    F8_E4M3: 1,
    F8_E5M2: 1,
  },
};
/** The limit of the format's reference reader. */
const MAX_HEADER_BYTES = 100_000_000;
/** Arbitrary, far above any model: a header of many tiny entries must not stall the reader. */
const MAX_TENSORS = 100_000;
/** Of a tensor; the models here have two. */
const MAX_DIMENSIONS = 8;

/** What a header says about a tensor. */
export interface TensorEntry {
  /** Any dtype of the format; only `Dtype` can be read. */
  dtype: string;
  shape: readonly number[];
  /** Values in the tensor. */
  size: number;
  /** Bytes from the start of the file. */
  position: number;
}

export interface Header {
  tensors: ReadonlyMap<string, TensorEntry>;
  metadata: Readonly<Record<string, string>>;
}

/** The header's length, from a file's first 8 bytes. Throws `MulliganError("checkpoint")` when it cannot be true. */
export function parseHeaderLength(path: string, bytes: Uint8Array, fileBytes: number): number {
  if (bytes.length < 8)
    throw notWhole(path, `it has ${bytes.length} bytes, fewer than the 8 of the header length`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > Math.min(MAX_HEADER_BYTES, fileBytes - 8)) {
    throw notWhole(path, `its header length is ${length}, the file has ${fileBytes} bytes`);
  }
  return length;
}

/** Parses and checks a header. Throws `MulliganError("checkpoint")` that names the first tensor that is wrong. */
export function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): Header {
  let header: unknown;
  try {
    header = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw notWhole(path, `its header is not JSON (${(cause as Error).message})`);
  }
  if (!isRecord(header)) throw notWhole(path, "its header is not a JSON object");
  const { __metadata__: metadata = {}, ...declared } = header;
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== "string")) {
    throw notWhole(path, "__metadata__ must map names to text");
  }
  const names = Object.keys(declared);
  if (names.length > MAX_TENSORS)
    throw notWhole(path, `it has ${names.length} tensors, more than ${MAX_TENSORS}`);

  const dataStart = 8 + bytes.length;
  const entries = names.map((name) => ({ name, ...parseEntry(path, name, declared[name]) }));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const entry of entries) {
    // Neither gaps nor overlaps: two tensors must not share bytes, and no byte is left unexplained.
    if (entry.begin !== end) {
      throw notWhole(
        path,
        `tensor "${entry.name}" starts at byte ${entry.begin} of the data, expected ${end}`,
      );
    }
    end = entry.end;
    if (dataStart + end > fileBytes) {
      const where = `tensor "${entry.name}" ends at byte ${dataStart + end}`;
      throw notWhole(path, `it is cut off: ${where}, the file has ${fileBytes} bytes`);
    }
  }
  if (dataStart + end !== fileBytes) {
    throw notWhole(path, `its tensors end at byte ${dataStart + end}, the file has ${fileBytes} bytes`);
  }
  const tensors = new Map<string, TensorEntry>();
  for (const { name, dtype, shape, size, begin } of entries) {
    tensors.set(name, { dtype, shape, size, position: dataStart + begin });
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function parseEntry(path: string, name: string, value: unknown) {
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (typeof dtype !== "string" || !Object.hasOwn(byteSizes, dtype)) {
    throw notWhole(path, `tensor "${name}" has the unknown dtype ${JSON.stringify(dtype)}`);
  }
  if (!isCounts(shape) || shape.length > MAX_DIMENSIONS)
    throw notWhole(path, `tensor "${name}" has the shape ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw notWhole(path, `tensor "${name}" has the offsets ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const size = sizeOf(shape);
  const takes = size * byteSizes[dtype]!;
  if (takes !== end - begin) {
    throw notWhole(
      path,
      `tensor "${name}" has ${end - begin} bytes, but ${dtype} ${showShape(shape)} takes ${takes}`,
    );
  }
  return { dtype, shape, size, begin, end };
}

/** The first bytes of a file (header length and padded header) whose tensors follow in the same order. */
export function makeHeader(
  tensors: readonly { name: string; shape: readonly number[] }[],
  dtype: Dtype,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape } of tensors) {
    if (Object.hasOwn(header, name)) throw new RangeError(`two tensors are called "${name}"`);
    const end = offset + sizeOf(shape) * bytesPerValue[dtype];
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // The data begins at a multiple of 8, so that readers can map it.
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function showShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function notWhole(path: string, rule: string): MulliganError {
  return new MulliganError("checkpoint", `${path}: not a whole safetensors file: ${rule}`, {
    hint: "copy, download or save the file again",
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
