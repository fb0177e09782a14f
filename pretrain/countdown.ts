/**
 * Countdown exercises. Attempts fail as models do, and hints are first steps with their value, never whole solutions.
 * Only training problems appear, and no expression makes a held-out target of its numbers.
 */
import type { Rng } from "../src/core/rng.ts";
import { type CountdownRow, MINI_RANGE } from "../src/tasks/countdown/generate.ts";
import { COUNTDOWN_PROMPTS } from "../src/tasks/countdown/prompts.ts";
import { leadsTo, type Plan, type Step, spellPlan, spellStep, tripleOf } from "./countdown-plans.ts";
import type { Exercise, Lead } from "./dialogue.ts";

/** Wrong attempts that use other numbers than the given ones; the rest use them all and miss. */
const WRONG_NUMBERS = 0.15;
/** Misses that are the nearest of a few instead of any. */
const NEAR_MISS = 0.5;

export function drawCountdown(rng: Rng): Exercise {
  const row = drawProblem(rng);
  const { target } = row;
  const { plans, steps } = tripleOf(row.nums);
  const solving = plans.filter(({ value }) => value === target);
  const missing = plans.filter(({ value }) => value !== target);
  const lead = (step: Step, ways: readonly Plan[]): Lead | undefined => {
    const first = spellStep(step, rng);
    const following = ways.filter((plan) => plan.step === step);
    if (following.length === 0) return undefined;
    return { piece: `${first}=${step.value}`, answer: spellPlan(rng.choice(following), first) };
  };
  return {
    question: COUNTDOWN_PROMPTS.compact.question(row, MINI_RANGE.operators),
    right: () => spell(rng.choice(solving), rng),
    wrong: () => {
      if (rng.next() < WRONG_NUMBERS) return useWrongNumbers(row, rng);
      return spell(nearest(missing, target, rng.next() < NEAR_MISS ? 4 : 1, rng), rng);
    },
    goodHint: () => lead(rng.choice(solving).step, solving),
    wrongHint: () => {
      const dead = steps.filter((step) => !leadsTo(step, target));
      return dead.length > 0 ? lead(rng.choice(dead), missing) : undefined;
    },
  };
}

/** As the task's generator draws: numbers first, then one of the targets that they reach. */
function drawProblem(rng: Rng): CountdownRow {
  for (;;) {
    const nums = Array.from({ length: MINI_RANGE.numbers }, () => rng.int(MINI_RANGE.min, MINI_RANGE.max));
    const { trainTargets } = tripleOf(nums);
    if (trainTargets.length > 0) return { nums, target: rng.choice(trainTargets) };
  }
}

/** Near the target, but a number was left out, used twice or invented. */
function useWrongNumbers({ nums, target }: CountdownRow, rng: Rng): string {
  if (rng.next() < 0.3) return spellStep(rng.choice(tripleOf(nums).steps), rng);
  const [lost, ...kept] = rng.shuffle(nums) as [number, number, number];
  let other = rng.next() < 0.5 ? kept[0] : rng.int(MINI_RANGE.min, MINI_RANGE.max);
  if (other === lost) other = lost === MINI_RANGE.max ? MINI_RANGE.min : lost + 1;
  return spell(nearest(tripleOf([...kept, other]).plans, target, 8, rng), rng);
}

/** The nearest to the target of some plans drawn at random. */
function nearest(plans: readonly Plan[], target: number, draws: number, rng: Rng): Plan {
  let best = rng.choice(plans);
  for (let i = 1; i < draws; i++) {
    const plan = rng.choice(plans);
    if (Math.abs(plan.value - target) < Math.abs(best.value - target)) best = plan;
  }
  return best;
}

function spell(plan: Plan, rng: Rng): string {
  return spellPlan(plan, spellStep(plan.step, rng));
}
