import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { groupAdvantages } from "./advantages.ts";

const group = { scaleRewards: "group" } as const;
const none = { scaleRewards: "none" } as const;
const batch = { scaleRewards: "batch" } as const;

const ragged = fc.array(fc.array(fc.constantFrom(0, 0.25, 1 / 3, 0.5, 1, null), { maxLength: 9 }), {
  maxLength: 6,
});

describe("groupAdvantages", () => {
  test("gives one success among eight +2.47417 and each failure -0.35345", () => {
    // mean 1/8; std with ddof 1 = sqrt((49/64 + 7/64) / 7) = sqrt(1/8) = 0.353553
    const { advantages_P_G } = groupAdvantages([[1, 0, 0, 0, 0, 0, 0, 0]], group);
    expect(advantages_P_G[0]![0]).toBeCloseTo(0.875 / (Math.sqrt(1 / 8) + 1e-4), 12);
    expect(advantages_P_G[0]![0]).toBeCloseTo(2.47417, 5);
    for (const advantage of advantages_P_G[0]!.slice(1)) expect(advantage).toBeCloseTo(-0.35345, 5);
  });

  test("only centres with scaleRewards none", () => {
    expect(groupAdvantages([[1, 0, 0, 1]], none).advantages_P_G).toEqual([[0.5, -0.5, -0.5, 0.5]]);
  });

  test("divides by the std of all scored rewards with scaleRewards batch, dead groups included", () => {
    // scored: 1 0 0 0 -> mean 1/4, std = sqrt((9/16 + 3/16) / 3) = 0.5
    const { advantages_P_G } = groupAdvantages(
      [
        [1, 0, null],
        [0, 0, null],
      ],
      batch,
    );
    expect(advantages_P_G[0]![0]).toBeCloseTo(0.5 / (0.5 + 1e-4), 12);
    expect(advantages_P_G[0]![1]).toBeCloseTo(-0.5 / (0.5 + 1e-4), 12);
    expect(advantages_P_G[1]).toEqual([0, 0, null]);
  });

  test("lets an unscored reward leave its group", () => {
    const withNull = groupAdvantages([[1, null, 0, 0]], group).advantages_P_G[0]!;
    const without = groupAdvantages([[1, 0, 0]], group).advantages_P_G[0]!;
    expect(withNull).toEqual([without[0], null, without[1], without[2]]);
  });

  test("needs two scored members", () => {
    const { advantages_P_G, groups_P } = groupAdvantages([[1, null], [null, null], []], group);
    expect(advantages_P_G).toEqual([[null, null], [null, null], []]);
    expect(groups_P.map(({ state }) => state)).toEqual(["unscored", "unscored", "unscored"]);
    expect(groups_P[0]).toEqual({ state: "unscored", mean: 1, std: null });
  });

  test("tells dead groups by kind and gives them exactly zero", () => {
    const rewards_P_G = [
      [0, 0, 0],
      [1, 1, null],
      [1 / 3, 1 / 3, 1 / 3],
      [0.1 + 0.2, 0.3, 0.3],
      [0, 1],
    ];
    const { advantages_P_G, groups_P } = groupAdvantages(rewards_P_G, group);
    expect(groups_P.map(({ state }) => state)).toEqual(["all_failed", "all_passed", "tied", "tied", "live"]);
    expect(advantages_P_G.slice(0, 4)).toEqual([
      [0, 0, 0],
      [0, 0, null],
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  test("for any rewards, advantages of a group sum to zero and keep the order of its rewards", () => {
    fc.assert(
      fc.property(ragged, fc.constantFrom(group, batch, none), (rewards_P_G, options) => {
        const { advantages_P_G } = groupAdvantages(rewards_P_G, options);
        for (const [p, advantages_G] of advantages_P_G.entries()) {
          const sum = advantages_G.reduce<number>((total, advantage) => total + (advantage ?? 0), 0);
          expect(Math.abs(sum)).toBeLessThan(1e-9);
          for (const [i, a] of advantages_G.entries()) {
            for (const [j, b] of advantages_G.entries()) {
              if (a !== null && b !== null && a < b) {
                expect(rewards_P_G[p]![i]!).toBeLessThan(rewards_P_G[p]![j]!);
              }
            }
          }
        }
      }),
    );
  });

  test("for any rewards, null stays null and a scored member of a live group has an advantage", () => {
    fc.assert(
      fc.property(ragged, (rewards_P_G) => {
        const { advantages_P_G, groups_P } = groupAdvantages(rewards_P_G, group);
        for (const [p, rewards_G] of rewards_P_G.entries()) {
          for (const [g, reward] of rewards_G.entries()) {
            const takesPart = reward !== null && groups_P[p]!.state !== "unscored";
            expect(advantages_P_G[p]![g] !== null).toBe(takesPart);
          }
        }
      }),
    );
  });
});
