/**
 * Small skills that the miniature is taught beside Countdown, to see whether training on reflections costs any of them:
 * copying, sorting, adding and matching brackets.
 */
import { MulliganError } from "../../core/errors.ts";
import { createRng, type Rng } from "../../core/rng.ts";
import type { Split } from "../../core/task.ts";
import { splitByHash } from "../split.ts";

export const RETENTION_KINDS = ["copy", "sort", "add", "brackets"] as const;
export type RetentionKind = (typeof RETENTION_KINDS)[number];

export interface RetentionRow {
  /** The question: no two rows share one. */
  id: string;
  kind: RetentionKind;
  /** As put to the model: "sort: 9 3 5". */
  question: string;
  /** As expected back: "3 5 9". */
  answer: string;
}

export interface GenerateRetention {
  count: number;
  seed: number;
  /** Taken in turn. Default: all four. */
  kinds?: readonly RetentionKind[];
  exclude?: (row: RetentionRow) => boolean;
}

const SYMBOLS = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
const PATIENCE = 5000;

export function retentionSplit(row: RetentionRow): Split {
  return splitByHash(row.question, { salt: "retention 1", validation: 0.1, test: 0.15 });
}

/** Rows with different questions. Throws `MulliganError("config")` when there are not so many. */
export function generateRetention(options: GenerateRetention): RetentionRow[] {
  const { count, seed, kinds = RETENTION_KINDS, exclude } = options;
  const source = createRng(seed).fork("retention");
  const rows = new Map<string, RetentionRow>();
  let fruitless = 0;
  for (let draw = 0; rows.size < count; draw++) {
    const kind = kinds[rows.size % kinds.length]!;
    const row = drawRetention(source.fork(draw), kind);
    if (!rows.has(row.id) && !exclude?.(row)) {
      rows.set(row.id, row);
      fruitless = 0;
    } else if (++fruitless === PATIENCE) {
      throw new MulliganError("config", `retention: ${count} rows: there are only about ${rows.size}`, {
        hint: `"${kind}" has no more; ask for fewer rows`,
      });
    }
  }
  return [...rows.values()];
}

/** One row of a kind from a stream of random numbers. */
function drawRetention(rng: Rng, kind: RetentionKind): RetentionRow {
  const { given, answer } = DRAW[kind](rng);
  const question = `${kind}: ${given}`;
  return { id: question, kind, question, answer };
}

const DRAW: Readonly<Record<RetentionKind, (rng: Rng) => { given: string; answer: string }>> = {
  copy: (rng) => {
    const text = Array.from({ length: rng.int(3, 6) }, () => rng.choice(SYMBOLS)).join(" ");
    return { given: text, answer: text };
  },
  sort: (rng) => {
    const numbers = Array.from({ length: rng.int(3, 5) }, () => rng.int(0, 99));
    return { given: numbers.join(" "), answer: [...numbers].sort((a, b) => a - b).join(" ") };
  },
  add: (rng) => {
    const [a, b] = [rng.int(0, 99), rng.int(0, 99)];
    return { given: `${a}+${b}`, answer: String(a + b) };
  },
  brackets: (rng) => {
    const balanced = drawBalanced(rng, rng.int(2, 7));
    const text = rng.next() < 0.5 ? balanced : spoil(rng, balanced);
    return { given: text, answer: isBalanced(text) ? "yes" : "no" };
  },
};

function drawBalanced(rng: Rng, pairs: number): string {
  let text = "";
  let opened = 0;
  for (let closed = 0; closed < pairs; ) {
    const opens = opened < pairs && (opened === closed || rng.next() < 0.5);
    text += opens ? "(" : ")";
    if (opens) opened++;
    else closed++;
  }
  return text;
}

/** One bracket dropped or turned round: near enough to balanced that counting at a glance does not tell. */
function spoil(rng: Rng, text: string): string {
  const at = rng.int(0, text.length - 1);
  const turned = text[at] === "(" ? ")" : "(";
  return text.slice(0, at) + (rng.next() < 0.5 ? turned : "") + text.slice(at + 1);
}

function isBalanced(text: string): boolean {
  let depth = 0;
  for (const bracket of text) {
    depth += bracket === "(" ? 1 : -1;
    if (depth < 0) return false;
  }
  return depth === 0;
}
