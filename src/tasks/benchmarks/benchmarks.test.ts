import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Task, Verdict } from "../../core/task.ts";
import { checkTask } from "../check-task.ts";
import { gsm8k, verifyGsm8k } from "./gsm8k.ts";
import { math, verifyMath } from "./math.ts";
import { multipleChoice, verifyChoice } from "./multiple-choice.ts";

const told = (verdict: Verdict) => (verdict.kind === "failed" ? verdict.errorClass : verdict.kind);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchmarks-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function problemsOf<Row>(
  task: (options: { source: { test: string } }) => Task<Row>,
  ...rows: object[]
) {
  const path = join(folder, "rows.jsonl");
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  const loaded = task({ source: { test: path } });
  const problems = await loaded.problems("test");
  return { problems, prompts: problems.map(({ row }) => loaded.prompt(row).at(-1)!.content) };
}

describe("gsm8k", () => {
  const row = { id: "1", question: "How much?", answer: "2,125" };

  test.each([
    ["So she has \\boxed{2125}.", "solved", undefined],
    ["\\boxed{\\$2{,}125.00}", "solved", undefined],
    ["It is 3.\n#### 2,125", "solved", undefined],
    ["\\boxed{2125\\text{ dollars}}", "solved", undefined],
    ["First \\boxed{7}, then \\boxed{2125}", "solved", undefined],
    ["First \\boxed{2125}, then \\boxed{7}", "wrong_value", false],
    ["\\boxed{2125 dollars}", "not_a_number", true],
    ["\\boxed{2124 or 2125}", "not_a_number", true],
    ["\\boxed{2000+125}", "not_a_number", false],
    ["The answer is 2125.", "no_answer", true],
    ["The answer is 2125, not 7.", "no_answer", false],
    ["\\boxed{2125", "no_answer", true],
    ["\\boxed{}", "no_answer", false],
    ["#### ", "no_answer", false],
    ["\\boxed{-2125}", "wrong_value", false],
    ["\\boxed{2125.5}", "wrong_value", false],
    ["", "no_answer", false],
  ])("%s: %s", (text, kind, lenient) => {
    const verdict = verifyGsm8k(text, row);
    expect(told(verdict)).toBe(kind);
    if (verdict.kind === "failed") expect(verdict.solvedLeniently).toBe(lenient);
  });

  test("reads the number after ####, and asks for a box", async () => {
    const { problems, prompts } = await problemsOf(gsm8k, {
      question: "Q?",
      answer: "1 + 2 = <<1+2=3>>3\n#### 3",
    });
    expect(problems).toEqual([{ id: "row-1", row: { id: "row-1", question: "Q?", answer: "3" } }]);
    expect(prompts).toEqual([
      "Q?\n\nPlease reason step by step, and put your final answer within \\boxed{}.",
    ]);
    await expect(problemsOf(gsm8k, { question: "Q?", answer: "three" })).rejects.toThrow(
      /rows.jsonl, row 1: answer must end in #### and a number/,
    );
  });

  const GSM8K = "../shared/data/gsm8k/test.jsonl";
  test.skipIf(!existsSync(GSM8K))("all of the real file loads, and every solution of it passes", async () => {
    const problems = await gsm8k({ source: { test: GSM8K } }).problems("test");
    expect(problems).toHaveLength(1319);
    for (const { row } of problems) {
      expect(verifyGsm8k(`#### ${row.answer}`, row).kind).toBe("solved");
      expect(verifyGsm8k(`\\boxed{${row.answer}1}`, row).kind).toBe("failed");
    }
  });
});

describe("math", () => {
  const row = { id: "1", problem: "Half?", answer: "\\frac{1}{2}" };

  test.each([
    ["\\boxed{\\dfrac{1}{2}}", "solved"],
    ["so \\boxed{0.5}", "solved"],
    ["#### 1/2", "solved"],
    ["\\boxed{x = \\frac12}", "solved"],
    ["\\boxed{\\frac{2}{1}}", "wrong_value"],
    ["\\boxed{\\frac{1}{2}, \\frac{1}{3}}", "wrong_value"],
    ["\\frac{1}{2}", "no_answer"],
    ["\\boxed{\\frac{1}{2}", "no_answer"],
  ])("%s: %s", (text, kind) => {
    expect(told(verifyMath(text, row))).toBe(kind);
  });

  test("takes the answer, or what the solution boxes", async () => {
    const { problems } = await problemsOf(
      math,
      { unique_id: "a", problem: "P", answer: "\\pi" },
      { problem: "P", solution: "so $\\boxed{\\sqrt{2}}$." },
    );
    expect(problems.map(({ row: it }) => [it.id, it.answer])).toEqual([
      ["a", "\\pi"],
      ["row-2", "\\sqrt{2}"],
    ]);
    await expect(problemsOf(math, { problem: "P", solution: "none" })).rejects.toThrow(
      /row 1: solution must hold/,
    );
    await expect(problemsOf(math, { problem: "P", answer: "$" })).rejects.toThrow(
      /row 1: answer must be more than units/,
    );
  });
});

describe("multiple-choice", () => {
  const row = { id: "1", question: "Capital of France?", choices: ["Rome", "Paris", "Oslo"], answer: 1 };

  test.each([
    ["It is Paris. \\boxed{B}", "solved"],
    ["\\boxed{\\text{(B)}}", "solved"],
    ["\\boxed{B. Paris}", "solved"],
    ["B", "solved"],
    ["(b)", "solved"],
    ["\\boxed{A}", "wrong_choice"],
    ["B, no: \\boxed{C}", "wrong_choice"],
    ["\\boxed{A or B}", "not_a_choice"],
    ["\\boxed{B. Rome}", "not_a_choice"],
    ["\\boxed{Z}", "not_a_choice"],
    ["\\boxed{Paris}", "not_a_choice"],
    ["The answer is B.", "no_answer"],
    ["ABC", "no_answer"],
    ["", "no_answer"],
  ])("%s: %s", (text, kind) => {
    expect(told(verifyChoice(text, row))).toBe(kind);
  });

  test("reads the columns of MMLU, MMLU-Pro and ARC", async () => {
    const question = "Q?";
    const { problems, prompts } = await problemsOf(
      multipleChoice,
      { question, choices: ["w", "x", "y", "z"], answer: 2 },
      { question, options: ["w", "x", "y"], answer: "B", answer_index: 1 },
      { question, choices: { text: ["w", "x", "y"], label: ["1", "2", "3"] }, answerKey: "3" },
      { question, choices: ["w", "x"], answer: "x" },
      { question, choices: ["w", "x"], answer: "A" },
    );
    expect(problems.map(({ row: it }) => it.answer)).toEqual([2, 1, 2, 1, 0]);
    expect(prompts[0]).toBe(
      "Q?\n\nA. w\nB. x\nC. y\nD. z\n\nPlease reason step by step, and put the letter of your final answer within \\boxed{}.",
    );
  });

  test.each<[object, RegExp]>([
    [{ choices: ["w"], answer: 0 }, /choices must be a list of 2 to 26 texts/],
    [{ choices: ["w", 2], answer: 0 }, /choices must be a list/],
    [{ choices: ["w", "x"], answer: 2 }, /answer must be a letter, an index/],
    [{ choices: ["w", "x"], answer: "C" }, /answer must be a letter/],
    [{ choices: { text: ["w", "x"], label: ["1", "2"] }, answerKey: "A" }, /answer must be a letter/],
  ])("%j is refused", async (columns, message) => {
    await expect(problemsOf(multipleChoice, { question: "Q?", ...columns })).rejects.toThrow(message);
  });
});

test("their own checks are sound", async () => {
  const path = join(folder, "check.jsonl");
  const lines = Array.from({ length: 60 }, (_, i) => ({
    question: `How much is ${i} + 1?`,
    choices: [`${i + 1}`, `${i + 2}`, "none"],
    answer: `${i + 1}`,
  }));
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  for (const task of [gsm8k({ source: path }), math({ source: path })]) {
    const { probes } = await checkTask(task as Task, { rows: 60 });
    expect(probes.flatMap(({ surprises }) => surprises)).toEqual([]);
    expect(probes[0]).toMatchObject({ name: "gold answer", solved: 60 });
  }
  const { probes } = await checkTask(multipleChoice({ source: path }) as Task, { rows: 60 });
  expect(probes.flatMap(({ surprises }) => surprises)).toEqual([]);
  expect(probes[0]).toMatchObject({ name: "gold answer", solved: 60 });
});

test.each([gsm8k, math, multipleChoice])("%o needs a source, and says how to name one", (task) => {
  expect(() => task(undefined as never)).toThrow(/source: must name a file of rows, got nothing/);
  expect(() => task({ source: 3 } as never)).toThrow(/source: .*got 3/);
});

test("no text makes a verifier throw, or takes long", () => {
  const verify = (text: string) => [
    verifyGsm8k(text, { id: "", question: "", answer: "18" }),
    verifyMath(text, { id: "", problem: "", answer: "18" }),
    verifyChoice(text, { id: "", question: "", choices: ["x", "y"], answer: 0 }),
  ];
  const pieces = fc.array(
    fc.constantFrom("\\boxed{", "}", "####", "18", ",", ".", "\n", "A", "(", ")", "-", "$"),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        pieces.map((it) => it.join("")),
      ),
      (text) => {
        for (const verdict of verify(text)) expect(["solved", "failed"]).toContain(verdict.kind);
      },
    ),
  );
  const start = performance.now();
  for (const piece of ["\\boxed{", "#", "1", "1,", "####", "-", "\\boxed{1}", "{", "A. "])
    verify(piece.repeat(60_000 / piece.length));
  expect(performance.now() - start).toBeLessThan(3000);
});
