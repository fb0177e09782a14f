/**
 * Splits by hash: which split a problem belongs to is a pure function of its key, so that it never moves when problems
 * are added and every program that knows the key agrees.
 */
import { hashText } from "../core/rng.ts";
import type { Split } from "../core/task.ts";

export const SPLITS: readonly Split[] = ["train", "validation", "test"];

/** The split of a key; `salt` keeps different tasks' splits independent, the shares are of 1. */
export function splitByHash(
  key: string,
  { salt, validation = 0.1, test = 0.1 }: { salt: string; validation?: number; test?: number },
): Split {
  const share = hashText(`${salt}\n${key}`) / 2 ** 32;
  if (share < test) return "test";
  return share < test + validation ? "validation" : "train";
}
