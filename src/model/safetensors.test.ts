import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, type Tensor, type WriteOptions, writeSafetensors } from "./safetensors.ts";

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "safetensors-"));
  path = join(folder, "x.safetensors");
});
afterAll(() => rm(folder, { recursive: true }));

const tensors: Tensor[] = [
  { name: "matrix", shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0.1, 1e-7, 70000) },
  { name: "scalar", shape: [], data: Float32Array.of(7) },
  { name: "empty", shape: [0, 4], data: new Float32Array(0) },
];

/** A file whose header is exactly this text (or value), followed by data bytes. */
async function writeRaw(header: unknown, dataBytes: number): Promise<void> {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
}

async function roundTrip(options?: WriteOptions) {
  await writeSafetensors(path, tensors, options);
  const file = await openSafetensors(path);
  const data = await Promise.all(tensors.map(({ name, shape }) => file.read(name, { shape })));
  await file.close();
  return { file, data };
}

describe("writing and reading", () => {
  test("keeps F32 exactly, with names, shapes and metadata", async () => {
    const { file, data } = await roundTrip({ metadata: { format: "pt", step: "12" } });
    expect(data).toEqual(tensors.map((tensor) => tensor.data));
    expect(file.metadata).toEqual({ format: "pt", step: "12" });
    expect([...file.tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["matrix", "F32", [2, 3]],
      ["scalar", "F32", []],
      ["empty", "F32", [0, 4]],
    ]);
  });

  test("rounds F16 and BF16 to their nearest values", async () => {
    // 0.1 is 0.0999755859375 in half and 0.10009765625 in bfloat16; 70000 is past half's range.
    expect((await roundTrip({ dtype: "F16" })).data[0]).toEqual(
      Float32Array.of(1, -2, 3.5, 0.0999755859375, 1.1920928955078125e-7, Infinity),
    );
    expect((await roundTrip({ dtype: "BF16" })).data[0]).toEqual(
      Float32Array.of(1, -2, 3.5, 0.10009765625, 1.0011717677116394e-7, 70144),
    );
  });

  test("begins the data at a multiple of 8 bytes and leaves no temporary file", async () => {
    await writeSafetensors(path, tensors);
    expect((await readFile(path)).readBigUInt64LE() % 8n).toBe(0n);
    expect(await readdir(folder)).toEqual(["x.safetensors"]);
  });

  test.each(["F32", "F16", "BF16"] as const)(
    "reads a %s tensor of several chunks into a view",
    async (dtype) => {
      // Values up to 255 are exact in all three types; the size is no multiple of the chunk.
      const data = Float32Array.from({ length: (1 << 21) + 5 }, (_, i) => i % 256);
      await writeSafetensors(path, [{ name: "long", shape: [data.length], data }, tensors[0]!], { dtype });
      const file = await openSafetensors(path);
      const buffer = new Float32Array(data.length + 2).fill(-1);
      await file.read("long", { into: buffer.subarray(1, -1) });
      await file.close();
      expect([buffer[0], buffer.at(-1)]).toEqual([-1, -1]);
      expect(Buffer.compare(Buffer.from(buffer.buffer, 4, data.byteLength), Buffer.from(data.buffer))).toBe(
        0,
      );
    },
  );

  test("names the file, the tensor and both shapes", async () => {
    await writeSafetensors(path, tensors);
    const file = await openSafetensors(path);
    await expect(file.read("matrix", { shape: [3, 2], hint: "look at config.json" })).rejects.toMatchObject({
      code: "checkpoint",
      message: `${path}: tensor "matrix" has shape [2, 3], expected [3, 2]`,
      hint: "look at config.json",
    });
    await expect(file.read("other", { shape: [3] })).rejects.toThrow(
      `${path}: tensor "other" is missing, expected shape [3]`,
    );
    await file.close();
  });

  test("lists tensors of other dtypes but does not read them as floats", async () => {
    await writeRaw({ ids: { dtype: "I32", shape: [2], data_offsets: [0, 8] } }, 8);
    const file = await openSafetensors(path);
    await expect(file.read("ids")).rejects.toMatchObject({
      code: "checkpoint",
      message: `${path}: tensor "ids" must be F32, F16 or BF16, got I32`,
    });
    await file.close();
  });

  test("leaves the old file alone when the new one cannot be written", async () => {
    await expect(writeSafetensors(join(folder, "missing", "x"), tensors)).rejects.toMatchObject({
      code: "io",
    });
    await writeSafetensors(path, tensors);
    const before = await readFile(path);
    const broken = [{ name: "short", shape: [2], data: new Float32Array(1) }];
    await expect(writeSafetensors(path, broken)).rejects.toThrow('tensor "short" of shape [2]');
    await expect(writeSafetensors(path, [tensors[0]!, tensors[0]!])).rejects.toThrow("two tensors");
    expect(await readFile(path)).toEqual(before);
  });
});

describe("corruption", () => {
  const f32 = (shape: unknown, data_offsets: unknown) => ({ dtype: "F32", shape, data_offsets });
  const cases: [string, unknown, number, string][] = [
    ["header that is not JSON", "{x", 0, "its header is not JSON"],
    ["header that is a list", [], 0, "its header is not a JSON object"],
    ["metadata that is not text", { __metadata__: { a: 1 } }, 0, "__metadata__ must map names to text"],
    [
      "overlap",
      { a: f32([2], [0, 8]), b: f32([2], [4, 12]) },
      12,
      'tensor "b" starts at byte 4 of the data, expected 8',
    ],
    [
      "gap",
      { a: f32([1], [0, 4]), b: f32([1], [8, 12]) },
      12,
      'tensor "b" starts at byte 8 of the data, expected 4',
    ],
    ["trailing bytes", { a: f32([1], [0, 4]) }, 5, "the file has"],
    ["size that disagrees", { a: f32([3], [0, 8]) }, 8, 'tensor "a" has 8 bytes, but F32 [3] takes 12'],
    ["unknown dtype", { a: { ...f32([1], [0, 4]), dtype: "Q4" } }, 4, 'unknown dtype "Q4"'],
    ["negative size", { a: f32([-1], [0, 4]) }, 4, 'tensor "a" has the shape [-1]'],
    ["fractional offset", { a: f32([1], [0, 4.5]) }, 4, 'tensor "a" has the offsets [0,4.5]'],
    ["backward offsets", { a: f32([1], [4, 0]) }, 4, 'tensor "a" has the offsets [4,0]'],
    ["astronomic shape", { a: f32([2 ** 40, 2 ** 40], [0, 4]) }, 4, "takes"],
    ["entry that is no object", { a: 3 }, 0, 'tensor "a" has the unknown dtype undefined'],
  ];
  test.each(cases)("refuses a %s", async (_, header, dataBytes, message) => {
    await writeRaw(header, dataBytes);
    await expect(openSafetensors(path)).rejects.toMatchObject({
      code: "checkpoint",
      message: expect.stringContaining(message),
    });
  });

  test("refuses a header length beyond the file without allocating it", async () => {
    await writeSafetensors(path, tensors);
    for (const length of [1n << 20n, 1n << 40n, (1n << 64n) - 1n]) {
      const bytes = await readFile(path);
      bytes.writeBigUInt64LE(length);
      const other = join(folder, "length.safetensors");
      await writeFile(other, bytes);
      await expect(openSafetensors(other)).rejects.toThrow("its header length is");
      await rm(other);
    }
  });

  test("refuses every truncation, and says when it is the tensors that are cut off", async () => {
    await writeSafetensors(path, tensors);
    const bytes = await readFile(path);
    for (let length = 0; length < bytes.length; length++) {
      await writeFile(path, bytes.subarray(0, length));
      const message = length >= bytes.length - 28 ? "it is cut off" : "not a whole safetensors file";
      await expect(openSafetensors(path)).rejects.toThrow(message);
    }
  });

  test("refuses a missing file and a folder", async () => {
    await expect(openSafetensors(join(folder, "none"))).rejects.toThrow("cannot be opened (ENOENT)");
    await expect(openSafetensors(folder)).rejects.toMatchObject({ code: "checkpoint" });
  });

  test("for any flipped header byte, opens the file or throws a checkpoint error, nothing else", async () => {
    await writeSafetensors(path, tensors);
    const bytes = await readFile(path);
    const other = join(folder, "flipped.safetensors");
    const headerEnd = 8 + Number(bytes.readBigUInt64LE());
    await fc.assert(
      fc.asyncProperty(fc.nat(headerEnd - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= mask;
        await writeFile(other, flipped);
        const file = await openSafetensors(other).catch((error) => error);
        if ("close" in file) await file.close();
        else expect(file).toMatchObject({ name: "MulliganError", code: "checkpoint" });
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
