/**
 * What reflections say. Good and wrong hints share their wordings, so that nothing but the task tells them apart, and
 * none holds a whole solution: the retry has to finish the work.
 */
import type { Rng } from "../src/core/rng.ts";

const generic = [
  "check the numbers",
  "try another way",
  "use each number once",
  "that missed the target",
  "that was wrong",
  "look again",
  "read the task again",
  "mind the signs",
];

/** A sentence that fits every failure and helps with none. */
export function genericReflection(rng: Rng): string {
  return rng.choice(generic);
}

const hints = [
  (step: string) => `start with ${step}`,
  (step: string) => `use ${step}`,
  (step: string) => `try ${step} first`,
];

/** A piece of an answer, put as advice. */
export function hint(piece: string, rng: Rng): string {
  return rng.choice(hints)(piece);
}
