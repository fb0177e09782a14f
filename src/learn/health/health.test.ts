/** Each warning by a series made for it, and a real run of the demo that gets none. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Metrics } from "../metric-names.ts";
import type { HealthSettings } from "./check.ts";
import { CHECKS } from "./checks.ts";
import { NO_HEALTH, observe, type Warning } from "./health.ts";

const settings: HealthSettings = {
  ...{ learnFrom: "reflection", numGenerations: 8, retriesPerReflection: 1 },
  ...{ maxAttemptLength: 128, maxCompletionLength: 64, topP: 1, topK: 0, quantization: "none" },
  maxGradNorm: 1,
};

/** What a step looks like when all is well. */
const well: Metrics = {
  ...{ reward: 0.3, frac_reward_zero_std: 0.3, entropy: 0.5, grad_norm: 0.4, kl: 0.01 },
  ...{ "groups/live": 20, "groups/all_failed": 8, "groups/all_passed": 1, "groups/tied": 0 },
  ...{ "groups/unscored": 1, "reflection/leak_rate": 0.01, "completions/clipped_ratio": 0.02 },
  ...{ "completions/distinct_ratio": 0.8, "completions/unscored_ratio": 0.01 },
  "sampling/logprob_difference_max": 2e-5,
};

const times = (count: number, changes: Metrics = {}): Metrics[] =>
  Array.from({ length: count }, () => ({ ...well, ...changes }));

/** The warnings of a series, each with its step, counted from 1. */
function watch(steps: readonly Metrics[], changes: Partial<HealthSettings> = {}) {
  let health = NO_HEALTH;
  return steps.flatMap((metrics, i) => {
    const observed = observe(health, metrics, { ...settings, ...changes });
    health = observed.health;
    return observed.warnings.map((warning) => ({ step: i + 1, ...warning }));
  });
}

const kinds = (warnings: readonly (Warning & { step: number })[]) =>
  warnings.map(({ step, kind }) => `${kind} ${step}`);

const dead = (
  counts: Partial<Record<"all_failed" | "all_passed" | "tied" | "unscored", number>>,
): Metrics => ({
  ...{ "groups/live": 0, "groups/all_failed": 0, "groups/all_passed": 0, "groups/tied": 0 },
  "groups/unscored": 0,
  ...Object.fromEntries(Object.entries(counts).map(([state, count]) => [`groups/${state}`, count])),
});

test("a run that is well is told nothing", () => {
  expect(watch(times(60))).toEqual([]);
});

test("the shipped demo is told nothing: 80 steps as they were measured", () => {
  const path = new URL("../../../test/fixtures/metrics/demo.jsonl", import.meta.url);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(80);
  expect(watch(lines.map((line) => JSON.parse(line) as Metrics))).toEqual([]);
});

describe("the loss is 0", () => {
  test("and why is told at once, with what the groups were", () => {
    const [warning] = watch(times(1, dead({ all_failed: 30, all_passed: 2 })));
    expect(warning).toEqual({
      ...{ step: 1, kind: "no_signal" },
      message:
        "the loss is 0 because every one of the 32 groups was without signal: 30 all failed, 2 all passed",
      hint: expect.stringMatching(/^no retry is right: take easier problems.*mulligan check-task/),
    });
  });

  test.each([
    ["all_passed", /^every retry is right: collect harder failures/],
    ["tied", /raise --num-generations$/],
    ["unscored", /^the check fails on nearly every answer/],
  ] as const)("because groups are %s: what to change is another thing", (state, hint) => {
    expect(watch(times(1, dead({ [state]: 9, all_failed: 3 })))[0]!.hint).toMatch(hint);
  });

  test("in a step of few groups by chance: told when 8 in a row had no signal", () => {
    const few = dead({ all_failed: 3 });
    expect(kinds(watch([...times(2, few), ...times(2, { "groups/live": 1 }), ...times(3, few)]))).toEqual([
      "no_signal 7",
    ]);
  });
});

describe.each<[string, Metrics[], string, RegExp]>([
  ["few_live_groups", times(12, { frac_reward_zero_std: 0.95 }), "10", /^95 % of the groups of the last 10/],
  [
    "reward_collapse",
    [...times(20), ...times(12, { reward: 0.01 })],
    "29",
    /^the reward fell to 0.039, from a best running mean of 0.3/,
  ],
  [
    "entropy_collapse",
    [...times(20), ...times(12, { entropy: 0.01 })],
    "30",
    /^the entropy fell to 0.01 nats/,
  ],
  ["entropy_explosion", [...times(20), ...times(12, { entropy: 3 })], "24", /^the entropy rose to 1.5 nats/],
  [
    "diversity_collapse",
    times(12, { "completions/distinct_ratio": 0.2 }),
    "10",
    /^of 8 reflections in a group only 1.6 differ on average/,
  ],
  [
    "no_end_token",
    times(5, { "completions/clipped_ratio": 1 }),
    "3",
    /^100 % of the reflections never ended/,
  ],
  ["truncated", times(5, { "completions/clipped_ratio": 0.6 }), "3", /^60 % of the reflections were cut/],
  [
    "sampler_mismatch",
    times(1, { "sampling/logprob_difference_max": 0.02 }),
    "1",
    /^trainer and sampler disagree .* by 0.02,/,
  ],
  [
    "leaks",
    [...times(10), ...times(12, { "reflection/leak_rate": 0.4 })],
    "15",
    /^21 % of the reflections hold a solution, 1 % did at first/,
  ],
  ["kl_blow_up", times(4, { kl: 2 }), "3", /^the KL to the starting model is 2 nats/],
  [
    "grad_norm",
    times(12, { grad_norm: 15 }),
    "10",
    /^the gradient's norm was at least 15 in most of the last 10 steps/,
  ],
  [
    "unscored",
    times(4, { "completions/unscored_ratio": 0.1 }),
    "3",
    /^10 % of the answers could not be scored/,
  ],
])("%s", (kind, steps, at, message) => {
  test("is told once, when it is sure, with what it means", () => {
    const warnings = watch(steps);
    expect(kinds(warnings)).toEqual([`${kind} ${at}`]);
    expect(warnings[0]!.message).toMatch(message);
    expect(warnings[0]!.hint.length).toBeGreaterThan(20);
  });

  test("is told again only after it was well for 20 steps", () => {
    const again = kinds(watch([...steps, ...times(45), ...steps, ...times(3), ...steps.slice(-12)]));
    expect(again.filter((one) => one.startsWith(kind)).length).toBe(2);
  });
});

test("every kind has a series of its own above, and a place in the guide", () => {
  const tested = readFileSync(new URL(import.meta.url), "utf8");
  const guide = readFileSync(
    new URL("../../../docs/guide/when-it-does-not-learn.md", import.meta.url),
    "utf8",
  );
  for (const { kind } of CHECKS) {
    expect(tested).toContain(`"${kind}`);
    expect(guide).toContain(`\`${kind}\``);
  }
});

describe("is not told", () => {
  test.each<[string, Metrics[], Partial<HealthSettings>]>([
    [
      "of a reward that was never clearly above 0",
      [...times(20, { reward: 0.02 }), ...times(20, { reward: 0 })],
      {},
    ],
    ["of leaks that were there from the start", times(20, { "reflection/leak_rate": 0.5 }), {}],
    ["of clipping that is off", times(20, { grad_norm: 50 }), { maxGradNorm: 0 }],
    [
      "of a sampler that is meant to differ",
      times(3, { "sampling/logprob_difference_max": 2 }),
      { topP: 0.9 },
    ],
    [
      "of rounding under a quantised base",
      times(3, { "sampling/logprob_difference_max": 0.05 }),
      { quantization: "int8" },
    ],
    [
      "of two that are the same where a group has two",
      times(20, { "completions/distinct_ratio": 0.7 }),
      { numGenerations: 2 },
    ],
    [
      "of a gradient that was far above in half of the steps",
      [...times(5, { grad_norm: 50 }), ...times(9)],
      {},
    ],
  ])("%s", (_, steps, changes) => {
    expect(watch(steps, changes)).toEqual([]);
  });

  test("of steps without metrics, nor do they end what is under way", () => {
    const gap = Array.from({ length: 15 }, (): Metrics => ({ skipped: 1 }));
    const cut = times(3, { "completions/clipped_ratio": 0.6 });
    expect(kinds(watch([...cut, ...gap, ...cut]))).toEqual(["truncated 3"]);
  });

  test("twice when most are cut because all are", () => {
    const steps = [
      ...times(4, { "completions/clipped_ratio": 0.99 }),
      ...times(4, { "completions/clipped_ratio": 0.6 }),
    ];
    expect(kinds(watch(steps))).toEqual(["no_end_token 3"]);
  });
});

test("read back from JSON a run is told the same, also where a number was none", () => {
  const steps = [
    ...times(20),
    { ...well, entropy: Number.NaN, grad_norm: Number.POSITIVE_INFINITY },
    ...times(15, { reward: 0.01, entropy: 4 }),
  ];
  const read = steps.map((step) => JSON.parse(JSON.stringify(step)) as Metrics);
  expect(watch(read)).toEqual(watch(steps));
});
