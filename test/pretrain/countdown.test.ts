import { describe, expect, test } from "vitest";
import { dialogue } from "../../pretrain/corpus.ts";
import { leadsTo, tripleOf } from "../../pretrain/countdown-plans.ts";
import { corpusDefaults, type Dialogue } from "../../pretrain/dialogue.ts";
import { reachableTargets } from "../../src/tasks/countdown/enumerate.ts";
import { type CountdownRow, countdownSplit } from "../../src/tasks/countdown/generate.ts";
import { countdown } from "../../src/tasks/countdown/task.ts";
import { evaluateExpression } from "../../src/verify/math/expression.ts";

const task = countdown({ wording: "compact" });
const options = { ...corpusDefaults, kinds: { countdown: 1, "function-calling": 0, retention: 0 } };
const dialogues = Array.from({ length: 20_000 }, (_, index) => dialogue(7, index, options));
const failures = dialogues.filter(({ turns }) => turns.length > 2);
const reflected = failures.filter(({ turns }) => turns.length === 6);

function rowOf({ turns }: Dialogue): CountdownRow {
  const [target, ...nums] = turns[0]!.text.match(/\d+/g)!.map(Number);
  return { nums, target: target! };
}

function isRight(answer: string, row: CountdownRow): boolean {
  return (task.verify(answer, row) as { kind: string }).kind === "solved";
}

/** The first step that a hint gives: "12*3" and 36. */
function hintOf({ turns }: Dialogue): { step: string; value: number } | undefined {
  const [, step, value] = turns[3]!.text.match(/(\d+[-+*]\d+)=(\d+)/) ?? [];
  return step === undefined ? undefined : { step, value: Number(value) };
}

/** Can a hint's value and the number that it leaves over still make the target? */
function isGood(dialogue: Dialogue): boolean {
  const { nums, target } = rowOf(dialogue);
  const { step, value } = hintOf(dialogue)!;
  const rest = nums.reduce((sum, n) => sum + n) - step.match(/\d+/g)!.reduce((sum, n) => sum + Number(n), 0);
  return reachableTargets([value, rest], { operators: "+-*" }).has(target);
}

const share = (part: readonly unknown[], whole: readonly unknown[]) => part.length / whole.length;

describe("plans of three numbers", () => {
  test("reach every target that may be trained on, and no held-out one", () => {
    for (let a = 1; a <= 20; a++) {
      for (let b = a; b <= 20; b++) {
        for (let c = b; c <= 20; c++) {
          const nums = [a, b, c];
          const wanted = [...reachableTargets(nums, { operators: "+-*" })].filter(
            (target) => target >= 1 && target <= 99 && countdownSplit({ nums, target }) === "train",
          );
          const { plans, trainTargets } = tripleOf(nums);
          expect([...trainTargets].sort((x, y) => x - y)).toEqual(wanted.sort((x, y) => x - y));
          const made = plans.map(({ value }) => value).filter((value) => value >= 1 && value <= 99);
          expect(new Set(made)).toEqual(new Set(trainTargets));
        }
      }
    }
  });

  test("know when a step can still reach the target", () => {
    const step = { left: 12, operator: "*", right: 3, value: 36, rest: 14 } as const;
    expect([50, 22, 504, 36, 23].map((target) => leadsTo(step, target))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

describe("Countdown dialogues", () => {
  test("put the task in the words of the task's own code", () => {
    for (const { turns } of dialogues.slice(0, 500)) {
      const row = rowOf({ kind: "countdown", turns });
      const question = task.prompt(row)[0]!.content;
      const users = turns.filter(({ role }) => role === "user").map(({ text }) => text);
      expect([
        [question],
        [question, task.plainRetryPrompt(row)],
        [question, task.reflectionPrompt(row), task.retryPrompt(row)],
      ]).toContainEqual(users);
    }
  });

  test("hold training problems only, and no expression that makes a held-out target of its three numbers", () => {
    const splits = new Set<string>();
    for (const { turns } of dialogues) {
      splits.add(countdownSplit(rowOf({ kind: "countdown", turns })));
      for (const { text } of turns) {
        for (const expression of text.match(/\(?\d+[-+*()\d]*/g) ?? []) {
          const result = evaluateExpression(expression);
          if (!result.ok || result.numbers.length !== 3) continue;
          const target = Number(result.value.numerator);
          if (target >= 1 && target <= 99) splits.add(countdownSplit({ nums: result.numbers, target }));
        }
      }
    }
    expect([...splits]).toEqual(["train"]);
  });

  test("go on after a failure, and only then", () => {
    const odd = dialogues.filter((d) => isRight(d.turns[1]!.text, rowOf(d)) !== (d.turns.length === 2));
    expect(odd).toEqual([]);
    expect(1 - share(failures, dialogues)).toBeCloseTo(options.right.countdown, 1);
    expect(1 - share(reflected, failures)).toBeCloseTo(options.plainRetry, 1);
  });

  test("fail as models do: mostly with all numbers and another value", () => {
    const feedback = failures.map((dialogue) => {
      const verdict = task.verify(dialogue.turns[1]!.text, rowOf(dialogue)) as { feedback: string };
      return verdict.feedback;
    });
    const wrongNumbers = feedback.filter((text) => text.includes("number"));
    expect(share(wrongNumbers, feedback)).toBeCloseTo(0.15, 1);
  });

  test("mix hints that lead to a solution, hints that do not, and sentences that say nothing", () => {
    const hinted = reflected.filter((dialogue) => hintOf(dialogue) !== undefined);
    const { wrong, good } = corpusDefaults.reflections;
    expect(share(hinted, reflected)).toBeCloseTo(wrong + good, 1);
    expect(share(hinted.filter(isGood), reflected)).toBeCloseTo(good, 1);
    expect(hinted.filter((dialogue) => hintOf(dialogue)!.step.match(/\d+/g)!.length !== 2)).toEqual([]);
  });

  test("word good and wrong hints alike", () => {
    const hinted = reflected.filter((dialogue) => hintOf(dialogue) !== undefined);
    const wordings = (good: boolean) =>
      new Set(
        hinted
          .filter((d) => isGood(d) === good)
          .map(({ turns }) => turns[3]!.text.replace(/\d+[-+*\d]*=\d+/, "…")),
      );
    expect(wordings(true)).toEqual(new Set(["start with …", "use …", "try … first"]));
    expect(wordings(false)).toEqual(wordings(true));
  });

  test("never give a solution away in a reflection", () => {
    expect(reflected.filter((dialogue) => task.leaks!(dialogue.turns[3]!.text, rowOf(dialogue)))).toEqual([]);
  });

  test("follow hints: a good one to a solution, a wrong one to a failure", () => {
    const hinted = reflected.filter((dialogue) => hintOf(dialogue) !== undefined);
    const good = hinted.filter(isGood);
    const wrong = hinted.filter((dialogue) => !isGood(dialogue));
    const follows = (d: Dialogue) => d.turns[5]!.text.includes(hintOf(d)!.step);
    const solves = (d: Dialogue) => isRight(d.turns[5]!.text, rowOf(d));
    expect(
      share(
        good.filter((d) => follows(d) && solves(d)),
        good,
      ),
    ).toBeGreaterThan(0.88);
    expect(
      share(
        wrong.filter((d) => follows(d) && !solves(d)),
        wrong,
      ),
    ).toBeGreaterThan(0.98);
    const unhinted = reflected.filter((dialogue) => hintOf(dialogue) === undefined);
    expect(share(unhinted.filter(solves), unhinted)).toBeCloseTo(options.retryRight.countdown, 1);
  });
});
