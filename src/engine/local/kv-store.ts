/**
 * Keys and values of token sequences that were computed with the current weights, so that what follows them need not
 * compute them again: a reflection after its failure, a retry after its reflection. A node holds its own tokens only and
 * points to what came before. Bounded; the least recently used go first.
 */
import type { ModelConfig } from "../../model/config.ts";

/** Memory for what may be used again. Arbitrary, not tuned. */
const STORE_BYTES = 2 ** 28;

export type CacheShape = Pick<ModelConfig, "layers" | "kvHeads" | "headSize">;

export interface KvNode {
  parent: KvNode | undefined;
  /** Its own tokens, after all of its ancestors'. */
  tokens: Int32Array;
  /** Tokens from the start of the sequence to its end. */
  length: number;
  /** Of its own tokens, one array per layer, keys rotated. // [K, own, D] */
  keys: Float32Array[];
  values: Float32Array[];
  /** Of all tokens up to its end. */
  hash: number;
  lastUsed: number;
}

export interface KvStore {
  /** The longest sequence kept that `tokens` begin with, of at most `limit` tokens. */
  find(tokens: ArrayLike<number>, limit: number): KvNode | undefined;
  /** Keeps what follows a node (or the empty sequence). */
  add(node: Pick<KvNode, "parent" | "tokens" | "keys" | "values">): KvNode;
  /** Drops the least recently used beyond the bound. */
  trim(): void;
  /** The weights have changed: nothing kept is true any more. */
  clear(): void;
  readonly bytes: number;
}

export function createKvStore(maxBytes = STORE_BYTES): KvStore {
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
    byHash.set(
      node.hash,
      byHash.get(node.hash)!.filter((other) => other !== node),
    );
    ends.set(node.length, ends.get(node.length)! - 1);
    bytes -= bytesOf(node);
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
    add({ parent, tokens, keys, values }) {
      const hash = tokens.reduce(hashNext, parent?.hash ?? 0);
      const node = {
        parent,
        tokens,
        length: (parent?.length ?? 0) + tokens.length,
        keys,
        values,
        hash,
        lastUsed: 0,
      };
      touch(node);
      byHash.set(hash, [...(byHash.get(hash) ?? []), node]);
      ends.set(node.length, (ends.get(node.length) ?? 0) + 1);
      bytes += bytesOf(node);
      return node;
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

function bytesOf({ keys, values }: KvNode): number {
  return [...keys, ...values].reduce((sum, { byteLength }) => sum + byteLength, 0);
}
