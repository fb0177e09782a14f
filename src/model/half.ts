/**
 * 16-bit floats to and from float32, whole arrays at a time: IEEE half (f16) and bfloat16 (bf16).
 * Widening is exact; narrowing rounds to nearest, ties to even, as PyTorch does. Knows no file format.
 */

/** Exact, NaN payloads included. */
export function float32FromBfloat16(
  source: Uint16Array,
  into: Float32Array = new Float32Array(source.length),
): Float32Array {
  const bits = bitsOf(into);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
  return into;
}

/** Exact, NaN payloads included. */
export function float32FromFloat16(
  source: Uint16Array,
  into: Float32Array = new Float32Array(source.length),
): Float32Array {
  widened ??= widenedHalves();
  const bits = bitsOf(into);
  for (let i = 0; i < source.length; i++) bits[i] = widened[source[i]!]!;
  return into;
}

/** Rounds to nearest even; a value too large becomes infinity, a NaN stays a (quiet) NaN. */
export function bfloat16FromFloat32(
  source: Float32Array,
  into: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  const bits = bitsOf(source);
  for (let i = 0; i < source.length; i++) {
    const b = bits[i]!;
    const isNan = (b & 0x7fff_ffff) > 0x7f80_0000;
    // The carry of the rounding runs into the exponent by itself, up to infinity; only a NaN must not be rounded.
    into[i] = isNan ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return into;
}

/** Rounds to nearest even; from 65520 up becomes infinity, a NaN stays a (quiet) NaN. */
export function float16FromFloat32(
  source: Float32Array,
  into: Uint16Array = new Uint16Array(source.length),
): Uint16Array {
  const bits = bitsOf(source);
  const sum = new Float32Array(1);
  const sumBits = bitsOf(sum);
  for (let i = 0; i < source.length; i++) {
    const b = bits[i]!;
    const magnitude = b & 0x7fff_ffff;
    let half: number;
    if (magnitude > 0x7f80_0000) {
      half = 0x7e00 | ((magnitude >>> 13) & 0x3ff);
    } else if (magnitude >= 0x4780_0000) {
      half = 0x7c00; // 65536 and above
    } else if (magnitude >= 0x3880_0000) {
      const rebiased = magnitude - 0x3800_0000; // exponent bias 127 to 15
      half = (rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13;
    } else {
      // Below 2^-14 the result is subnormal, in steps of 2^-24: just the steps of float32 at 0.5, so one addition rounds.
      sum[0] = Math.abs(source[i]!) + 0.5;
      half = sumBits[0]! - 0x3f00_0000;
    }
    into[i] = ((b >>> 16) & 0x8000) | half;
  }
  return into;
}

function bitsOf(floats: Float32Array): Uint32Array {
  return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
}

/** float32 bits of each of the 65,536 halves; made at first use. */
let widened: Uint32Array | undefined;

function widenedHalves(): Uint32Array {
  const table = new Uint32Array(0x1_0000);
  const subnormals = new Float32Array(0x400);
  for (let i = 0; i < 0x400; i++) subnormals[i] = i / 2 ** 24;
  table.set(bitsOf(subnormals));
  for (let h = 0x400; h < 0x7c00; h++) table[h] = (h << 13) + 0x3800_0000;
  for (let h = 0x7c00; h < 0x8000; h++) table[h] = 0x7f80_0000 | ((h & 0x3ff) << 13);
  for (let h = 0; h < 0x8000; h++) table[0x8000 + h] = table[h]! | 0x8000_0000;
  return table;
}
