/**
 * Random numbers by counter, never by call order: a draw is a pure function of (seed, counters), so the same step,
 * sample and token give the same draw whatever ran before or beside it.
 */

/** The finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function begin(seed: number): number {
  const h = mix((seed | 0) ^ 0x9e3779b9);
  return mix(h ^ Math.floor(seed / 0x1_0000_0000));
}

function absorb(h: number, counter: number): number {
  const low = mix((Math.imul(h, 5) + 0xe6546b64) ^ (counter | 0));
  return mix(low ^ Math.imul(Math.floor(counter / 0x1_0000_0000), 0x1b873593));
}

/** Hashes a seed and counters (integers up to 2^53) to an unsigned 32-bit integer; also derives child seeds. */
export function hashSeed(seed: number, ...counters: readonly number[]): number {
  return counters.reduce(absorb, begin(seed)) >>> 0;
}

/** A 32-bit hash of text, for forking a stream by label. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h) >>> 0;
}

/** A uniform number in [0, 1) with 53 random bits, a pure function of its arguments. */
export function uniform(seed: number, ...counters: readonly number[]): number {
  const h = counters.reduce(absorb, begin(seed));
  const high = absorb(h, 0) >>> 5;
  const low = absorb(h, 1) >>> 6;
  return (high * 0x400_0000 + low) / 2 ** 53;
}

export interface Rng {
  readonly seed: number;
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer, both bounds included. */
  int(low: number, high: number): number;
  choice<T>(items: readonly T[]): T;
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[];
  normal(): number;
  /** An independent stream for a label: the same label gives the same stream however much was drawn before. */
  fork(label: string | number): Rng;
}

/** A stream over one counter. Fork it by label for every item, so that items do not depend on each other. */
export function createRng(seed: number): Rng {
  let counter = 0;
  const next = () => uniform(seed, counter++);
  const int = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    seed,
    next,
    int,
    choice: (items) => {
      if (items.length === 0) throw new RangeError("rng.choice: the list is empty");
      return items[int(0, items.length - 1)]!;
    },
    shuffle: (items) => {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = int(0, i);
        [copy[i], copy[j]] = [copy[j]!, copy[i]!];
      }
      return copy;
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    fork: (label) =>
      createRng(hashSeed(seed, 0x5bd1e995, typeof label === "number" ? label : hashText(label))),
  };
}
