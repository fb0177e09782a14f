/**
 * Keys and values of token sequences that were computed with the current weights, so that what follows them need not
 * compute them again: a reflection after its failure, a retry after its reflection. A node holds its own tokens only and
 * points to what came before. Bounded; the least recently used go first.
 */
import type { MemoryPool } from "./memory-pool.ts";
import { type CacheShape, copyEntries, type KeptNumbers, takeNumbers } from "./numbers.ts";

/** Memory for what may be used again. Arbitrary, not tuned. */
export const STORE_BYTES = 2 ** 28;

export interface KvNode extends KeptNumbers {
  parent: KvNode | undefined;
  /** Its own tokens, after all of its ancestors'. */
  tokens: Int32Array;
  /** Tokens from the start of the sequence to its end. */
  length: number;
  /** The memory that they lie in, once it is the store's. */
  block?: Block;
  /** Of all tokens up to its end. */
  hash: number;
  lastUsed: number;
}

/** Memory, and how many nodes read it. */
interface Block {
  memory: Float32Array;
  users: number;
}

export interface KvStore {
  /** The longest sequence kept that `tokens` begin with, of at most `limit` tokens. */
  find(tokens: ArrayLike<number>, limit: number): KvNode | undefined;
  /** Keeps what follows a node (or the empty sequence). */
  add(node: Pick<KvNode, "parent" | "tokens"> & KeptNumbers): KvNode;
  /**
   * Takes over memory that nobody writes any more: kept as it is for the nodes that read it, or given back at once when they
   * fill so little of it that they are copied together.
   */
  retire(cache: { memory: Float32Array; kept: readonly KvNode[] }): void;
  /** Drops the least recently used beyond the bound. */
  trim(): void;
  /** The weights have changed: nothing kept is true any more. */
  clear(): void;
  readonly bytes: number;
}

/** What is filled by less than this share with what is kept is not worth its memory. Arbitrary, not tuned. */
const LEAST_FILLED = 0.5;

export function createKvStore(
  shape: CacheShape,
  memory: Pick<MemoryPool, "give">,
  maxBytes = STORE_BYTES,
): KvStore {
  const byHash = new Map<number, KvNode[]>();
  /** How many nodes end at each length: most lengths need no look-up. */
  const ends = new Map<number, number>();
  let bytes = 0;
  let clock = 0;

  const touch = (node: KvNode) => {
    clock++;
    for (let at: KvNode | undefined = node; at; at = at.parent) at.lastUsed = clock;
  };
  const remove = (node: KvNode) => {
    const rest = byHash.get(node.hash)!.filter((other) => other !== node);
    if (rest.length > 0) byHash.set(node.hash, rest);
    else byHash.delete(node.hash);
    const left = ends.get(node.length)! - 1;
    if (left > 0) ends.set(node.length, left);
    else ends.delete(node.length);
    bytes -= release(node);
  };
  const ownBytes = ({ tokens }: KvNode) => 8 * shape.layers * shape.kvHeads * shape.headSize * tokens.length;
  /** Bytes that are free without the node. */
  const release = (node: KvNode) => {
    const { block } = node;
    if (!block) return ownBytes(node);
    block.users--;
    if (block.users > 0) return 0;
    memory.give(block.memory);
    return block.memory.buffer.byteLength;
  };

  return {
    get bytes() {
      return bytes;
    },
    find(tokens, limit) {
      let found: KvNode | undefined;
      let hash = 0;
      for (let t = 0; t < limit; t++) {
        hash = hashNext(hash, tokens[t]!);
        if (!ends.get(t + 1)) continue;
        found = byHash.get(hash)?.find((node) => node.length === t + 1 && spells(node, tokens)) ?? found;
      }
      if (found) touch(found);
      return found;
    },
    add({ parent, tokens, ...numbers }) {
      const hash = tokens.reduce(hashNext, parent?.hash ?? 0);
      const length = (parent?.length ?? 0) + tokens.length;
      const node = { parent, tokens, length, ...numbers, hash, lastUsed: 0 };
      touch(node);
      byHash.set(hash, [...(byHash.get(hash) ?? []), node]);
      ends.set(node.length, (ends.get(node.length) ?? 0) + 1);
      bytes += ownBytes(node);
      return node;
    },
    retire(retired) {
      const filled = retired.kept.reduce((sum, node) => sum + ownBytes(node), 0);
      // memory that was used before may be larger than what lies in it
      let held = retired.memory;
      if (filled < LEAST_FILLED * held.buffer.byteLength) {
        held = copyTogether(shape, retired.kept);
        memory.give(retired.memory);
      }
      const block = { memory: held, users: retired.kept.length };
      for (const node of retired.kept) node.block = block;
      bytes += held.buffer.byteLength - filled;
    },
    trim() {
      if (bytes <= maxBytes) return;
      // A parent is as recent as its children: the deeper node goes first.
      const oldest = [...byHash.values()]
        .flat()
        .sort((a, b) => a.lastUsed - b.lastUsed || b.length - a.length);
      for (const node of oldest) {
        if (bytes <= maxBytes) return;
        remove(node);
      }
    },
    clear() {
      for (const node of [...byHash.values()].flat()) release(node);
      byHash.clear();
      ends.clear();
      bytes = 0;
    },
  };
}

function hashNext(hash: number, token: number): number {
  const mixed = Math.imul(hash ^ (token + 0x9e3779b9), 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

function spells(node: KvNode, tokens: ArrayLike<number>): boolean {
  for (let at: KvNode | undefined = node; at; at = at.parent) {
    const start = at.length - at.tokens.length;
    for (let i = 0; i < at.tokens.length; i++) if (at.tokens[i] !== tokens[start + i]) return false;
  }
  return true;
}

/** Moves the nodes' numbers, one node after the other, to memory of their own. // [K, own, D] per layer and node */
function copyTogether(shape: CacheShape, nodes: readonly KvNode[]): Float32Array {
  const perToken = shape.kvHeads * shape.headSize;
  const total = nodes.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const { memory, keys, values } = takeNumbers(shape, perToken * total);
  let start = 0;
  for (const node of nodes) {
    const { length } = node.tokens;
    const to = { keys, values, start, headStride: length * shape.headSize };
    copyEntries(shape, { ...node, length }, to);
    Object.assign(node, to);
    start += length * perToken;
  }
  return memory;
}
