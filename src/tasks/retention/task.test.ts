import { expect, test } from "vitest";
import { generateRetention, RETENTION_KINDS, retentionSplit } from "./generate.ts";
import { retention, verifyRetention } from "./task.ts";

/** Each skill done the slow, obvious way. */
const ANSWER: Record<string, (given: string) => string> = {
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
    while (rest.includes("()")) rest = rest.replaceAll("()", "");
    return rest === "" ? "yes" : "no";
  },
};

test("rows are right, different, and of every kind in turn", () => {
  const rows = generateRetention({ count: 400, seed: 1 });
  expect(new Set(rows.map(({ question }) => question)).size).toBe(400);
  rows.forEach(({ kind, question, answer }, i) => {
    expect(kind).toBe(RETENTION_KINDS[i % 4]);
    const [name, given] = question.split(": ") as [string, string];
    expect(name).toBe(kind);
    expect(answer).toBe(ANSWER[kind]!(given));
  });
  const yes = rows.filter(({ answer }) => answer === "yes").length;
  expect(yes > 30 && yes < 70).toBe(true);
});

test("the kinds can be chosen, and run out with a message", () => {
  expect(generateRetention({ count: 5, seed: 0, kinds: ["add"] }).every(({ kind }) => kind === "add")).toBe(
    true,
  );
  const exclude = ({ question }: { question: string }) => question !== "add: 1+1";
  expect(() => generateRetention({ count: 2, seed: 0, kinds: ["add"], exclude })).toThrow(
    /there are only about [01]/,
  );
});

test("the splits share no question and repeat", async () => {
  const options = { train: 100, validation: 60, test: 80 };
  for (const split of ["train", "validation", "test"] as const) {
    const problems = await retention(options).problems(split);
    expect(problems).toHaveLength(options[split]);
    expect(problems.every(({ row }) => retentionSplit(row) === split)).toBe(true);
    expect(await retention(options).problems(split)).toEqual(problems);
  }
});

test("the wording is compact and the answer exact but for spaces", () => {
  const row = { id: "sort: 9 3 5", kind: "sort" as const, question: "sort: 9 3 5", answer: "3 5 9" };
  const task = retention();
  expect(task.prompt(row)).toEqual([{ role: "user", content: "sort: 9 3 5" }]);
  expect(task.reflectionPrompt(row)).toBe("wrong. reflect");
  expect(task.plainRetryPrompt(row)).toBe("wrong. again\nsort: 9 3 5");
  const feedback = (text: string) => {
    const verdict = verifyRetention(text, row);
    return verdict.kind === "failed" ? verdict.feedback : verdict.kind;
  };
  expect(feedback("<answer> 3  5 9\n</answer>")).toBe("solved");
  expect(feedback("<answer>3 9 5</answer>")).toBe("wrong: 3 9 5, not 3 5 9");
  expect(feedback("3 5 9")).toBe("no answer: nothing in <answer>…</answer>");
});
