/**
 * Large arrays that are used again. The system clears fresh memory page by page when it is first touched: ten times the
 * cost of copying a cache into memory that was in use before.
 */

/** Memory kept after trim. Arbitrary, not tuned. */
export const POOL_BYTES = 2 ** 27;

export interface MemoryPool {
  /**
   * An array of that many numbers, which may be any; where its memory must be new, with room for so many. The largest free
   * memory then goes, which was too small: what grows would leave all that it has outgrown behind.
   */
  take(size: number, room?: number): Float32Array;
  /** Makes an array from `take` available again: its owner reads and writes it no more. */
  give(memory: Float32Array): void;
  /** Lets go of what alone is beyond the bound, then of the smallest. */
  trim(): void;
  readonly bytes: number;
}

export function createMemoryPool(maxBytes = POOL_BYTES): MemoryPool {
  /** Smallest first. */
  let free: ArrayBuffer[] = [];
  const bytes = () => free.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return {
    get bytes() {
      return bytes();
    },
    take(size, room = size) {
      if (size === 0) return new Float32Array(0);
      const found = free.find(({ byteLength }) => byteLength >= 4 * size);
      const gone = found ?? free.at(-1);
      free = free.filter((buffer) => buffer !== gone);
      return new Float32Array(found ?? new ArrayBuffer(4 * Math.ceil(room)), 0, size);
    },
    give({ buffer }) {
      if (buffer.byteLength === 0) return;
      free.push(buffer as ArrayBuffer);
      free.sort((a, b) => a.byteLength - b.byteLength);
    },
    trim() {
      free = free.filter(({ byteLength }) => byteLength <= maxBytes);
      while (bytes() > maxBytes) free.shift();
    },
  };
}
