/**
 * Every way to spend three numbers in two steps, by triple: a first step on two of them with a positive value, then one
 * on that value and the third number. In this order each solvable target is reached without negative steps, and each
 * plan has one spelling with its first step in front. Also knows which problems may be trained on.
 */
import type { Rng } from "../src/core/rng.ts";
import { countdownSplit, MINI_RANGE } from "../src/tasks/countdown/generate.ts";

/** Two of the numbers joined: "12*3" = 36, with 14 left over. */
export interface Step {
  left: number;
  operator: "+" | "-" | "*";
  right: number;
  value: number;
  rest: number;
}

export interface Plan {
  step: Step;
  /** What is done with the left-over number; "r-" takes the step from it. */
  finish: "+" | "-" | "*" | "r-";
  value: number;
}

export interface Triple {
  /** Only plans whose outcome is not a held-out problem: those must not even be seen as another problem's failure. */
  plans: readonly Plan[];
  steps: readonly Step[];
  /** Solvable targets within range that may be trained on. */
  trainTargets: readonly number[];
}

const triples = new Map<string, Triple>();

/** The plans of three numbers, in any order; computed once. */
export function tripleOf(nums: readonly number[]): Triple {
  const sorted = [...nums].sort((a, b) => a - b);
  const key = sorted.join();
  let triple = triples.get(key);
  if (triple === undefined) {
    triple = enumerateTriple(sorted);
    triples.set(key, triple);
  }
  return triple;
}

function enumerateTriple(sorted: readonly number[]): Triple {
  const [a, b, c] = sorted as [number, number, number];
  const steps = [...stepsOf(a, b, c), ...stepsOf(a, c, b), ...stepsOf(b, c, a)];
  const all = steps.flatMap(completions);
  const targets = [...new Set(all.map(({ value }) => value).filter(inRange))];
  const trainTargets = targets.filter((target) => countdownSplit({ nums: [a, b, c], target }) === "train");
  const plans = all.filter(({ value }) => !inRange(value) || trainTargets.includes(value));
  return { steps, plans, trainTargets };
}

function inRange(target: number): boolean {
  return target >= MINI_RANGE.targetMin && target <= MINI_RANGE.targetMax;
}

function stepsOf(low: number, high: number, rest: number): Step[] {
  const steps: Step[] = [
    { left: low, operator: "+", right: high, value: low + high, rest },
    { left: low, operator: "*", right: high, value: low * high, rest },
  ];
  if (high > low) steps.push({ left: high, operator: "-", right: low, value: high - low, rest });
  return steps;
}

/** 12-(3+4) is 12-3-4 and 12-(4-3) is 12+3-4, so only a product is ever taken from the left-over number. */
function completions(step: Step): Plan[] {
  const { value, rest, operator } = step;
  const plans: Plan[] = [
    { step, finish: "+", value: value + rest },
    { step, finish: "-", value: value - rest },
    { step, finish: "*", value: value * rest },
  ];
  if (operator === "*") plans.push({ step, finish: "r-", value: rest - value });
  return plans;
}

/** Can this step still reach the target, by any spelling? */
export function leadsTo({ value, rest }: Step, target: number): boolean {
  return [value + rest, value - rest, rest - value, value * rest].includes(target);
}

/** "12*3" or "3*12": the order of what commutes is drawn. */
export function spellStep({ left, operator, right }: Step, rng: Rng): string {
  const swapped = operator !== "-" && rng.next() < 0.5;
  return swapped ? `${right}${operator}${left}` : `${left}${operator}${right}`;
}

/** The plan with its first step as spelt: "12*3-14", "14-12*3", "(12+3)*14". */
export function spellPlan({ step, finish }: Plan, first: string): string {
  if (finish === "r-") return `${step.rest}-${first}`;
  return finish === "*" && step.operator !== "*"
    ? `(${first})*${step.rest}`
    : `${first}${finish}${step.rest}`;
}
