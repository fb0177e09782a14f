/**
 * Seeded mutations of valid files: of bytes, and of what the bytes mean (JSON, lines of it, the header of a safetensors
 * file, a template), so that many get past the parser. The same seed makes the same file.
 */
import type { Rng } from "../../src/core/rng.ts";

export type FileKind = "bytes" | "json" | "jsonl" | "safetensors" | "template";

/** One to three changes. */
export function mutate(kind: FileKind, valid: Buffer, rng: Rng): Buffer {
  let bytes = valid;
  for (let left = rng.int(1, 3); left > 0; left--) {
    try {
      bytes = mutateOnce(kind, bytes, rng);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // an earlier change made it too deep to be changed again
    }
  }
  return bytes;
}

function mutateOnce(kind: FileKind, bytes: Buffer, rng: Rng): Buffer {
  // one in five knows nothing of the format
  if (kind === "bytes" || rng.next() < 0.2) return mutateBytes(bytes, rng);
  if (kind === "safetensors") return mutateSafetensors(bytes, rng);
  const text = bytes.toString("utf8");
  if (kind === "json") return Buffer.from(mutateJson(text, rng));
  return Buffer.from(kind === "jsonl" ? mutateLines(text, rng) : mutateTemplate(text, rng));
}

function mutateBytes(bytes: Buffer, rng: Rng): Buffer {
  const at = rng.int(0, bytes.length);
  const end = Math.min(bytes.length, at + rng.int(1, 64));
  const [before, chunk, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
  const noise = () => Buffer.from(Array.from({ length: rng.int(1, 16) }, () => rng.int(0, 255)));
  switch (rng.int(0, 6)) {
    case 0:
      return before; // cut off
    case 1:
      return Buffer.concat([before, after]);
    case 2:
      return Buffer.concat([before, chunk, chunk, after]);
    case 3:
      return Buffer.concat([before, noise(), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([after, chunk, before]);
    default: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at]! ^= 1 << rng.int(0, 7);
      return flipped;
    }
  }
}

/** Stands in a tree for text that JSON.stringify would not write. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const own = (name: string, value: unknown) =>
  Object.defineProperty({}, name, { value, enumerable: true, configurable: true, writable: true });
const deep = (depth: number) => new Raw("[".repeat(depth) + "]".repeat(depth));

/** What no honest file holds. */
const HOSTILE: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 3, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 1e-320],
  ...[
    "",
    "a",
    "\0",
    "\uD800",
    "../../../etc/passwd",
    "/etc/passwd",
    "__proto__",
    "constructor",
    "NaN",
    "F64",
  ],
  ...[[], {}, [[]], [null], Array(5000).fill(0), Array(300).fill({}), "x".repeat(100_000), "(a+)+$"],
  own("__proto__", { polluted: 1 }),
  { constructor: { prototype: { polluted: 1 } } },
  ...[new Raw("1e999"), new Raw("-0"), new Raw("NaN"), new Raw('{"a":1,"a":2}'), deep(100), deep(100_000)],
];
const NAMES = ["__proto__", "constructor", "prototype", "toString", "", "\0", "../x", "length", "type"];

/** JSON with one value or name of it changed; what is no JSON is changed as bytes. */
export function mutateJson(text: string, rng: Rng): string {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return mutateBytes(Buffer.from(text), rng).toString("utf8");
  }
  const holder = { root };
  const [parent, key] = placeIn(holder, rng);
  const put = (value: unknown) =>
    Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
  const [other, otherKey] = placeIn(holder, rng);
  const value = parent[key];
  switch (rng.int(0, 9)) {
    case 0:
    case 1:
    case 2:
      put(rng.choice(HOSTILE));
      break;
    case 3:
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      break;
    case 4:
      put(structuredClone(other[otherKey] instanceof Raw ? null : other[otherKey]));
      break;
    case 5:
      if (typeof value === "object" && value !== null) {
        const name = rng.choice(NAMES);
        const added = { value: rng.choice(HOSTILE), enumerable: true, configurable: true, writable: true };
        if (name !== "length") Object.defineProperty(value, name, added);
      } else put(rng.choice(HOSTILE));
      break;
    case 6:
      put(Array(rng.int(2, 20)).fill(value));
      break;
    default:
      put(nudged(value, rng));
  }
  return written(holder.root);
}

/** Of the same type, but another value. */
function nudged(value: unknown, rng: Rng): unknown {
  if (typeof value === "number") {
    return rng.choice([
      value + 1,
      value - 1,
      -value,
      value * 2,
      value * 2 ** 20,
      value * 2 ** 45,
      value + 0.5,
      0,
    ]);
  }
  if (typeof value === "boolean") return !value;
  if (typeof value !== "string") return rng.choice(HOSTILE);
  const at = rng.int(0, value.length);
  const insert = rng.choice(["x", "\0", "/", "../", "\uDC00", " ", "(", "*", "\\", "🏿", "<|end|>", "1"]);
  return rng.choice([
    value.slice(0, at) + insert + value.slice(at),
    value.slice(at),
    value.repeat(3),
    insert,
  ]);
}

/** A place in a value: a walk from its root that may end at each step, so that a long list deep inside is not most of it. */
function placeIn(root: object, rng: Rng): [parent: Record<string, unknown>, key: string] {
  let place: [Record<string, unknown>, string] = [root as Record<string, unknown>, "root"];
  for (;;) {
    const value = place[0][place[1]];
    const isEnd = typeof value !== "object" || value === null || value instanceof Raw;
    const keys = isEnd ? [] : Object.keys(value);
    if (keys.length === 0 || (place[0] !== root && rng.next() < 0.2)) return place;
    place = [value as Record<string, unknown>, rng.choice(keys)];
  }
}

function written(root: unknown): string {
  const raws: string[] = [];
  const text = JSON.stringify(root, (_, value) => {
    if (!(value instanceof Raw)) return value;
    raws.push(value.text);
    return `\uE123${raws.length - 1}\uE124`;
  });
  return (text ?? "").replace(/"\uE123(\d+)\uE124"/g, (_, index) => raws[Number(index)]!);
}

function mutateLines(text: string, rng: Rng): string {
  const lines = text.trimEnd().split("\n");
  const at = rng.int(0, lines.length - 1);
  const other = rng.int(0, lines.length - 1);
  switch (rng.int(0, 7)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, lines[other]!);
      break;
    case 2:
      [lines[at], lines[other]] = [lines[other]!, lines[at]!];
      break;
    case 3:
      return lines.join("\n").slice(0, rng.int(0, text.length)); // torn
    default:
      lines[at] = mutateJson(lines[at]!, rng);
  }
  return `${lines.join("\n")}\n`;
}

const OFFSETS = [-1, 0, 1, 4, 1e6, 2 ** 32, 2 ** 53, 2 ** 60];

/** The header changed and its length set right again, or not; or bytes of the tensors. */
function mutateSafetensors(bytes: Buffer, rng: Rng): Buffer {
  const length = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : 0;
  if (length > bytes.length - 8) return mutateBytes(bytes, rng);
  const data = bytes.subarray(8 + length);
  const text = bytes.toString("utf8", 8, 8 + length);
  if (rng.next() < 0.1) return Buffer.concat([bytes.subarray(0, 8 + length), mutateBytes(data, rng)]);
  const header = Buffer.from(rng.next() < 0.5 ? mutateJson(text, rng) : mutateEntry(text, rng));
  const prefix = Buffer.alloc(8);
  const claimed = rng.next() < 0.9 ? header.length : header.length + rng.choice(OFFSETS);
  prefix.writeBigUInt64LE(BigInt(Math.max(0, claimed)));
  return Buffer.concat([prefix, header, data]);
}

/** One tensor's offsets, shape or dtype. */
function mutateEntry(text: string, rng: Rng): string {
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>;
  try {
    header = JSON.parse(text);
  } catch {
    return text;
  }
  const isWhole = ({ data_offsets: offsets, shape }: Partial<(typeof header)[string]>) =>
    Array.isArray(offsets) && Array.isArray(shape);
  const names = Object.keys(header).filter((name) => isWhole(Object(header[name])));
  if (names.length === 0) return mutateJson(text, rng);
  const entry = header[rng.choice(names)]!;
  const other = header[rng.choice(names)]!;
  switch (rng.int(0, 5)) {
    case 0:
      entry.data_offsets = [...other.data_offsets];
      break;
    case 1:
      entry.data_offsets[rng.int(0, 1)]! += rng.choice(OFFSETS);
      break;
    case 2:
      entry.dtype = rng.choice(["F16", "BF16", "F32", "F64", "I8", "U4", "constructor", ""]);
      break;
    case 3:
      entry.shape = rng.choice([
        [],
        [0],
        [...other.shape].reverse(),
        [...entry.shape, 1],
        [2 ** 53, 2 ** 53, 0],
      ]);
      break;
    case 4:
      // halves are as long as twice as many of them
      Object.assign(entry, {
        dtype: "F16",
        shape: [...entry.shape.slice(0, -1), 2 * (entry.shape.at(-1) ?? 1)],
      });
      break;
    default:
      delete header[rng.choice(names)];
  }
  return JSON.stringify(header);
}

const SNIPPETS = [
  "{% for i in range(99999) %}x{% endfor %}",
  "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
  "{% set ns = namespace(s='ab') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
  "{% set ns = namespace(s=[1]) %}{% for i in range(40) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
  "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
  "{{ messages | tojson(indent=99999) }}",
  "{{ messages.__proto__ }}{{ messages.constructor }}{{ ''.constructor('x') }}",
  "{{ messages[99].content[::0] }}",
  "{{ raise_exception('no') }}",
  "{{ strftime_now('%Y') }}",
  "{% if true %}",
  "{{ ((((((1)))))) }}",
];
const WORDS = [
  "messages",
  "message",
  "content",
  "role",
  "loop.index",
  "none",
  "tools",
  "'x'",
  "9 ** 9",
  "[]",
  "{}",
];

/** Tags and words of a template left out, doubled, changed for others. */
function mutateTemplate(text: string, rng: Rng): string {
  const parts = text.split(/(\{[%{#].*?[%}#]\})/s);
  const at = rng.int(0, parts.length - 1);
  switch (rng.int(0, 6)) {
    case 0:
      parts.splice(at, 1);
      break;
    case 1:
      parts.splice(at, 0, parts[rng.int(0, parts.length - 1)]!);
      break;
    case 2:
      parts.splice(at, 0, rng.choice(SNIPPETS));
      break;
    case 3:
      return mutateBytes(Buffer.from(text), rng).toString("utf8");
    default: {
      const words = parts[at]!.split(/\b/);
      words[rng.int(0, words.length - 1)] = rng.choice(WORDS);
      parts[at] = words.join("");
    }
  }
  return parts.join("");
}
