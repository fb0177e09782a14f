import { describe, expect, test } from "vitest";
import type { Verdict } from "../core/task.ts";
import { controlRewards, episodeReward } from "./rewards.ts";

const solved: Verdict = { kind: "solved" };
const failed: Verdict = { kind: "failed", feedback: "got 7" };
const unscored: Verdict = { kind: "unscored", cause: "timed out" };

describe("episodeReward", () => {
  test("is the share of scored retries that were solved", () => {
    expect(episodeReward([solved])).toBe(1);
    expect(episodeReward([failed])).toBe(0);
    expect(episodeReward([solved, failed, unscored, failed])).toBeCloseTo(1 / 3, 12);
  });

  test("is null when no retry was scored", () => {
    expect(episodeReward([unscored])).toBeNull();
    expect(episodeReward([])).toBeNull();
  });
});

describe("controlRewards", () => {
  const draw = { seed: 3, step: 5 };

  test("leaves the verifier's rewards alone and inverts the inverted", () => {
    expect(controlRewards([1, 0, null, 0.25], "verifier", draw)).toEqual([1, 0, null, 0.25]);
    expect(controlRewards([1, 0, null, 0.25], "inverted", draw)).toEqual([0, 1, null, 0.75]);
  });

  test("draws random rewards at the batch's rate, blind to the rewards themselves", () => {
    const rewards = Array.from({ length: 10_000 }, (_, i) => (i % 5 === 0 ? 1 : 0));
    const random = controlRewards(rewards, "random", draw) as number[];
    const rate = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    // std of a mean of 10,000 at rate 0.2 is 0.004; of 2,000 it is 0.009
    expect(Math.abs(rate(random) - 0.2)).toBeLessThan(0.016);
    expect(Math.abs(rate(random.filter((_, i) => rewards[i] === 1)) - 0.2)).toBeLessThan(0.036);
    expect(new Set(random)).toEqual(new Set([0, 1]));
  });

  test("draws by seed, step and index only", () => {
    const rewards = [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, null];
    const random = controlRewards(rewards, "random", draw);
    expect(controlRewards(rewards, "random", draw)).toEqual(random);
    expect(controlRewards([...rewards.slice(0, 16).reverse(), null], "random", draw)).toEqual(random);
    expect(controlRewards(rewards, "random", { ...draw, step: 6 })).not.toEqual(random);
    expect(controlRewards(rewards, "random", { ...draw, seed: 4 })).not.toEqual(random);
    expect(random.at(-1)).toBeNull();
  });

  test("keeps a rate of zero at zero and of one at one", () => {
    expect(controlRewards([0, 0, null], "random", draw)).toEqual([0, 0, null]);
    expect(controlRewards([1, 1, null], "random", draw)).toEqual([1, 1, null]);
  });
});
