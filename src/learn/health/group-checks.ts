/** Are there groups to learn from? Bounds are chosen, as in checks.ts. */
import { type Course, check, percent } from "./check.ts";

/** Groups without signal, one after the other. A step of fewer groups may have none by chance. */
const DEAD_IN_A_ROW = 8;
/** Live groups among the scored ones: fewer are mostly thrown away. */
const FEW_LIVE = 0.1;

/** Of groups without signal, and what helps against each. */
const STATES = ["all_failed", "all_passed", "tied", "unscored"] as const;
const REMEDY = {
  all_failed:
    "no retry is right: take easier problems, a stronger model or more generations (--num-generations), and see with `mulligan check-task` whether the check is too strict",
  all_passed:
    "every retry is right: collect harder failures (--collect.tries 64 --collect.max-failures-per-problem 4), and see with `mulligan check-task` whether the check passes junk",
  tied: "retries tell reflections apart too seldom: raise --num-generations",
  unscored: "the check fails on nearly every answer: see `mulligan check-task`",
};

export const noSignal = check({
  kind: "no_signal",
  excess(course) {
    if (course.now["groups/live"] === undefined) return undefined;
    return deadInARow(course) / DEAD_IN_A_ROW;
  },
  tell({ now }) {
    const { parts, all, most } = groupCounts(now);
    const list = parts
      .filter(([, count]) => count > 0)
      .map(([state, count]) => `${count} ${state.replace("_", " ")}`);
    return {
      message: `the loss is 0 because every one of the ${all} groups was without signal: ${list.join(", ")}`,
      hint: REMEDY[most],
    };
  },
});

export const fewLiveGroups = check({
  kind: "few_live_groups",
  coveredBy: "no_signal",
  excess(course) {
    const dead = course.mean("frac_reward_zero_std");
    return dead === undefined ? undefined : FEW_LIVE / (1 - dead);
  },
  tell(course) {
    const dead = course.mean("frac_reward_zero_std")!;
    return {
      message: `${percent(dead)} of the groups of the last 10 steps had equal rewards and taught nothing: most of the sampling is wasted`,
      hint: `${REMEDY[groupCounts(course.now).most]}; --dynamic-sampling replaces such groups by others`,
    };
  },
});

function groupCounts(now: Course["now"]) {
  const parts = STATES.map((state) => [state, now[`groups/${state}`] ?? 0] as const);
  const live = now["groups/live"];
  const [most] = parts.reduce((a, b) => (b[1] > a[1] ? b : a));
  return { live, parts, most, all: parts.reduce((sum, [, count]) => sum + count, live ?? 0) };
}

/** Groups since the last live one, of whole steps. */
function deadInARow({ last }: Course): number {
  const names = STATES.map((state) => `groups/${state}` as const);
  let dead = 0;
  for (let steps = 1; last("groups/live", steps)?.[0] === 0; steps++) {
    dead += names.reduce((sum, name) => sum + last(name, steps)![0]!, 0);
  }
  return dead;
}
