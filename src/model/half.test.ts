import { describe, expect, test } from "vitest";
import { createRng } from "../core/rng.ts";
import { bfloat16FromFloat32, float16FromFloat32, float32FromBfloat16, float32FromFloat16 } from "./half.ts";

/** The value of a 16-bit pattern, by the definition of the format. */
function decode(pattern: number, exponentBits: number): number {
  const fractionBits = 15 - exponentBits;
  const sign = pattern >>> 15 ? -1 : 1;
  const exponent = (pattern >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (pattern & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

const formats = [
  { name: "f16", exponentBits: 5, widen: float32FromFloat16, narrow: float16FromFloat32 },
  { name: "bf16", exponentBits: 8, widen: float32FromBfloat16, narrow: bfloat16FromFloat32 },
];
const patterns = Uint16Array.from({ length: 0x1_0000 }, (_, i) => i);

describe.each(formats)("$name", ({ exponentBits, widen, narrow }) => {
  const floats = widen(patterns);
  const isNan = (h: number) => Number.isNaN(decode(h, exponentBits));

  test("widens all 65,536 patterns to the value the format defines", () => {
    const wrong = patterns.filter((h) => !Object.is(floats[h], decode(h, exponentBits)));
    expect(wrong).toHaveLength(0);
  });

  test("narrows every widened pattern back to itself, and NaN to a NaN of the same sign", () => {
    const back = narrow(floats);
    const wrong = patterns.filter((h) =>
      isNan(h) ? !isNan(back[h]!) || back[h]! >>> 15 !== h >>> 15 : back[h] !== h,
    );
    expect(wrong).toHaveLength(0);
  });

  test("rounds between each two neighbours to the nearer one, and a tie to the even one", () => {
    const infinity = patterns.find((h) => decode(h, exponentBits) === Infinity)!;
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    const wrong: string[] = [];
    for (let h = 0; h < infinity; h++) {
      const low = decode(h, exponentBits);
      // Past the largest finite value the grid goes on with the same step: half a step further is infinity's.
      const high = h + 1 === infinity ? 2 * low - decode(h - 1, exponentBits) : decode(h + 1, exponentBits);
      float[0] = (low + high) / 2;
      const tie = bits[0]!;
      const expected = [h, h % 2 === 0 ? h : h + 1, h + 1];
      for (const [i, offset] of [-1, 0, 1].entries()) {
        for (const sign of [0, 0x8000]) {
          bits[0] = (tie + offset) | (sign << 16);
          if (narrow(float)[0] !== (expected[i]! | sign)) wrong.push(`${float[0]} after ${h}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test("gives the nearest pattern for random float32 bits", () => {
    const rng = createRng(1);
    const bits = Uint32Array.from({ length: 20_000 }, () => rng.int(0, 2 ** 32 - 1));
    const source = new Float32Array(bits.buffer);
    const narrowed = narrow(source);
    const rounded = widen(narrowed);
    let farther = 0;
    for (let i = 0; i < source.length; i++) {
      if (!Number.isFinite(source[i]) || !Number.isFinite(rounded[i])) continue;
      const distance = Math.abs(rounded[i]! - source[i]!);
      for (const neighbour of [narrowed[i]! - 1, narrowed[i]! + 1]) {
        if (Math.abs(decode(neighbour & 0xffff, exponentBits) - source[i]!) < distance) farther++;
      }
    }
    expect(farther).toBe(0);
  });

  test("keeps infinities and writes into a given view only", () => {
    expect([...widen(narrow(Float32Array.of(Infinity, -Infinity, 3.4e38)))]).toEqual([
      Infinity,
      -Infinity,
      Infinity,
    ]);
    const buffer = Float32Array.of(9, 9, 9, 9);
    widen(narrow(Float32Array.of(1, -2)), buffer.subarray(1, 3));
    expect([...buffer]).toEqual([9, 1, -2, 9]);
  });
});
