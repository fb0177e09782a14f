/**
 * Countdown problems: what one is, its canonical form, the split that form belongs to, and a seeded source of solvable
 * ones. The split is a pure function of the form, so pretraining and evaluation agree on what is held out.
 */
import { MulliganError } from "../../core/errors.ts";
import { createRng } from "../../core/rng.ts";
import type { Split } from "../../core/task.ts";
import { splitByHash } from "../split.ts";
import { type Operators, reachableTargets } from "./enumerate.ts";

/** The columns of the published rows (Jiayi-Pan/Countdown-Tasks-3to4). */
export interface CountdownRow {
  /** In the order in which the prompt gives them. */
  nums: number[];
  target: number;
}

export interface CountdownRange {
  /** How many numbers a problem has. */
  numbers: number;
  min: number;
  max: number;
  targetMin: number;
  targetMax: number;
  operators: Operators;
}

/** The range that the shipped miniature is trained on. */
export const MINI_RANGE: CountdownRange = {
  numbers: 3,
  min: 1,
  max: 20,
  targetMin: 1,
  targetMax: 99,
  operators: "+-*",
};

export interface GenerateCountdown extends Partial<CountdownRange> {
  count: number;
  seed: number;
  /** Leaves a problem out by its canonical form. */
  exclude?: (canonical: string, row: CountdownRow) => boolean;
}

/** Draws in a row that may yield nothing new before the range counts as exhausted. */
const PATIENCE = 3000;

/** Sorted numbers and target: "3,7,12=22". Problems that differ only in the order of their numbers are one problem. */
export function canonicalForm({ nums, target }: CountdownRow): string {
  return `${[...nums].sort((a, b) => a - b).join(",")}=${target}`;
}

/**
 * Where a problem belongs: every target ending in 7 is held out as a whole; of the others' canonical forms 15 % are
 * test and 10 % validation. Only "train" may be trained on, also in pretraining.
 */
export function countdownSplit(row: CountdownRow): Split | "held-out-target" {
  if (Math.abs(row.target) % 10 === 7) return "held-out-target";
  return splitByHash(canonicalForm(row), { salt: "countdown 1", validation: 0.1, test: 0.15 });
}

/**
 * Solvable problems, no two with the same canonical form: numbers are drawn uniformly, then the target uniformly from
 * those that they reach. Throws `MulliganError("config")` when the range holds fewer.
 */
export function generateCountdown({ count, seed, exclude, ...options }: GenerateCountdown): CountdownRow[] {
  const range = { ...MINI_RANGE, ...options };
  const source = createRng(seed).fork("countdown");
  const rows = new Map<string, CountdownRow>();
  let fruitless = 0;
  for (let draw = 0; rows.size < count; draw++) {
    const rng = source.fork(draw);
    const nums = Array.from({ length: range.numbers }, () => rng.int(range.min, range.max));
    const candidates: [string, CountdownRow][] = [];
    for (const target of reachableTargets(nums, range)) {
      if (target < range.targetMin || target > range.targetMax) continue;
      const row = { nums, target };
      const canonical = canonicalForm(row);
      if (!rows.has(canonical) && !exclude?.(canonical, row)) candidates.push([canonical, row]);
    }
    if (candidates.length > 0) {
      rows.set(...rng.choice(candidates));
      fruitless = 0;
    } else if (++fruitless === PATIENCE) {
      const wanted = `${count} problems of ${range.numbers} numbers ${range.min}-${range.max}`;
      throw new MulliganError("config", `countdown: ${wanted}: the range holds only about ${rows.size}`, {
        hint: "ask for fewer problems, or widen min, max, targetMin, targetMax or numbers",
      });
    }
  }
  return [...rows.values()];
}
