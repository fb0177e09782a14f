import { describe, expect, test } from "vitest";
import { drawCall } from "../../pretrain/calls.ts";
import { drawRetention } from "../../pretrain/retention.ts";
import { createRng } from "../../src/core/rng.ts";
import { compactAnswer } from "../../src/tasks/compact.ts";
import { functionCallingSplit } from "../../src/tasks/function-calling/generate.ts";
import { functionCalling, verifyFunctionCall } from "../../src/tasks/function-calling/task.ts";
import { type RetentionRow, retentionSplit } from "../../src/tasks/retention/generate.ts";
import { verifyRetention } from "../../src/tasks/retention/task.ts";

const seeds = Array.from({ length: 500 }, (_, seed) => seed);
const pairsOf = (call: string) =>
  [...call.matchAll(/(\w+)=(\w+)/g)].map(([, slot, value]) => [slot!, value!]);

describe("function-calling exercises", () => {
  const exercises = seeds.map((seed) => drawCall(createRng(seed)));
  const rowOf = (call: string) => {
    const answers = [{ name: call.split("(")[0]!, arguments: Object.fromEntries(pairsOf(call)) }];
    return { id: "", query: "", tools: "[]", answers: JSON.stringify(answers) };
  };

  test("answer what the query says: a listed tool, all its slots in order, the values given", () => {
    for (const { question, right } of exercises) {
      const pairs = pairsOf(right());
      const query = question.split("\n")[1]!;
      expect(question).toContain(` ${right().split("(")[0]}(${pairs.map(([slot]) => slot).join(",")})`);
      for (const [slot, value] of pairs) expect(query).toContain(`${slot} ${value}`);
    }
  });

  test("call only tools of the training split", () => {
    expect(new Set(exercises.map(({ right }) => functionCallingSplit(rowOf(right()))))).toEqual(
      new Set(["train"]),
    );
  });

  test("fail on a wrong answer or hint, and are solved by a good hint that gives nothing away", () => {
    const { leaks } = functionCalling();
    for (const { right, wrong, wrongHint, goodHint } of exercises) {
      const row = rowOf(right());
      const verdict = (call: string) => verifyFunctionCall(compactAnswer(call), row).kind;
      const failed = wrong();
      const [good, misleading] = [goodHint(failed)!, wrongHint()!];
      expect([right(), good.answer].map(verdict)).toEqual(["solved", "solved"]);
      expect([failed, misleading.answer].map(verdict)).toEqual(["failed", "failed"]);
      expect(failed).not.toContain(`${good.piece}(`);
      expect(misleading.answer).toContain(misleading.piece);
      expect(leaks!(good.piece, row)).toBe(false);
    }
  });
});

describe("retention exercises", () => {
  const exercises = seeds.map((seed) => drawRetention(createRng(seed)));
  const expected: Record<string, (given: string) => string> = {
    copy: (given) => given,
    sort: (given) =>
      given
        .split(" ")
        .map(Number)
        .sort((a, b) => a - b)
        .join(" "),
    add: (given) => String(given.split("+").reduce((sum, n) => sum + Number(n), 0)),
    brackets: (given) => {
      let rest = given;
      while (rest.includes("()")) rest = rest.replace("()", "");
      return rest === "" ? "yes" : "no";
    },
  };

  test("ask training questions only and answer them rightly", () => {
    const kinds = new Set<string>();
    for (const { question, right } of exercises) {
      const [kind, given] = question.split(": ") as [string, string];
      kinds.add(kind);
      expect(right()).toBe(expected[kind]!(given));
      expect(retentionSplit({ id: question, question, answer: right(), kind: "copy" })).toBe("train");
    }
    expect([...kinds].sort()).toEqual(["add", "brackets", "copy", "sort"]);
  });

  test("fail on a wrong answer or hint, and are solved by a good hint", () => {
    for (const { question, right, wrong, goodHint, wrongHint } of exercises) {
      const row: RetentionRow = { id: question, question, kind: "copy", answer: right() };
      const solves = (answer: string) => verifyRetention(compactAnswer(answer), row).kind === "solved";
      const failed = wrong();
      expect(solves(failed)).toBe(false);
      if (question.startsWith("brackets")) {
        expect([goodHint(failed), wrongHint()]).toEqual([undefined, undefined]);
        continue;
      }
      expect(solves(goodHint(failed)!.answer)).toBe(true);
      expect(solves(wrongHint()!.answer)).toBe(false);
    }
  });
});
