import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Split } from "../../core/task.ts";
import { canonicalForm, countdownSplit } from "./generate.ts";
import { type CountdownOptions, countdown } from "./task.ts";

const row = { nums: [3, 7, 12], target: 22 };

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "countdown-"));
  path = join(folder, "rows.jsonl");
});
afterAll(() => rm(folder, { recursive: true }));

describe("the wordings", () => {
  test("compact is what the shipped model was trained on, to the letter", () => {
    const task = countdown({ wording: "compact" });
    expect(task.prompt(row)).toEqual([{ role: "user", content: "make 22 from 3,7,12" }]);
    expect(task.reflectionPrompt(row)).toBe("wrong. reflect");
    expect(task.retryPrompt(row)).toBe("make 22 from 3,7,12");
    expect(task.plainRetryPrompt(row)).toBe("wrong. again\nmake 22 from 3,7,12");
    expect(task.verify("<answer>12+7+3</answer>", row)).toEqual({ kind: "solved" });
    expect(task.leaks?.("try 12+7+3", row)).toBe(true);
  });

  test("tinyzero is the default: TinyZero's without the thinking part", () => {
    const task = countdown();
    const question = task.prompt(row)[0]!.content;
    expect(question).toBe(
      "Using the numbers [3, 7, 12], create an equation that equals 22. You can use basic arithmetic operations " +
        "(+, -, *, /) and each number can only be used once. Return the final answer in <answer> </answer> tags, " +
        "for example <answer> (1 + 2) / 3 </answer>.",
    );
    expect(task.retryPrompt(row)).toBe(question);
    expect(task.reflectionPrompt(row)).toMatch(
      /^You tried solving the problem and got the wrong answer\. Reflect/,
    );
    expect(task.plainRetryPrompt(row)).toBe(
      `You tried solving the problem and got the wrong answer. Try again.\n\n${question}`,
    );
  });

  test("boxed asks for a box and looks there", () => {
    const task = countdown({ wording: "boxed" });
    expect(task.prompt(row)[0]!.content).toMatch(
      /^Using only the numbers in the list \[3, 7, 12\].*\\boxed\{\}\.$/,
    );
    expect(task.verify("\\boxed{12+7+3}", row)).toEqual({ kind: "solved" });
    expect(task.verify("<answer>12+7+3</answer>", row)).toMatchObject({ kind: "failed" });
  });
});

test("options reach the verifier", () => {
  const lenient = countdown({ allowUnaryMinus: true, allowTrailingEquals: true });
  expect(lenient.verify("<answer>-3+25=22</answer>", { nums: [3, 25], target: 22 })).toEqual({
    kind: "solved",
  });
  const problem = { nums: [6, 3], target: 2 };
  expect(countdown().verify("<answer>6/3</answer>", problem)).toEqual({ kind: "solved" });
  expect(countdown({ wording: "compact" }).verify("<answer>6/3</answer>", problem)).toMatchObject({
    kind: "failed",
  });
});

describe("generated problems", () => {
  const options: CountdownOptions = { train: 200, validation: 100, test: 150 };

  test("come in the sizes asked for, no problem in two splits, the same every time", async () => {
    const splits = ["train", "validation", "test"] as const;
    const lists = await Promise.all(splits.map((split) => countdown(options).problems(split)));
    expect(lists.map((list) => list.length)).toEqual([200, 100, 150]);
    lists.forEach((list, i) => {
      for (const problem of list) {
        expect(problem.id).toBe(canonicalForm(problem.row));
        expect(countdownSplit(problem.row)).toBe(splits[i]);
      }
    });
    expect(await countdown(options).problems("test")).toEqual(lists[2]);
    expect(await countdown({ ...options, seed: 1 }).problems("test")).not.toEqual(lists[2]);
  });

  test("held-out targets make the test split on request, a thousand of them", async () => {
    const task = countdown({ wording: "compact", testTargets: "held-out" });
    const problems = await task.problems("test");
    expect(problems).toHaveLength(1000);
    expect(problems.every(({ row }) => row.target % 10 === 7)).toBe(true);
    expect((await task.problems("train")).some(({ row }) => row.target % 10 === 7)).toBe(false);
  });
});

describe("rows from a file", () => {
  test("fall to the splits by canonical form, each problem once", async () => {
    const rows = Array.from({ length: 200 }, (_, i) => ({ nums: [i, 50, 7], target: 30 }));
    const again = { nums: [50, 7, 0], target: 30 };
    await writeFile(path, [...rows, again].map((it) => JSON.stringify(it)).join("\n"));
    const task = countdown({ rows: path });
    const ids = await Promise.all(
      (["train", "validation", "test"] as Split[]).map(async (split) =>
        (await task.problems(split)).map(({ id }) => id),
      ),
    );
    expect(ids.flat().sort()).toEqual(rows.map(canonicalForm).sort());
    expect(await countdown({ rows: path, train: 5 }).problems("train")).toHaveLength(5);
  });

  test.each([
    ['{"nums":[1,2]}', /rows\.jsonl, line 2: target: .*number/],
    ['{"target":3}', /line 2: nums: .*array/],
    ['{"nums":[1,"2"],"target":3}', /line 2: nums\.1: .*number/],
    ['{"nums":[1,2.5],"target":3}', /line 2: nums\.1: .*int/],
    ['{"nums":[],"target":3}', /line 2: nums: /],
    ["[1,2]", /line 2: .*object/],
    ["{", /line 2: not JSON/],
  ])("%s is refused by line and field", async (line, message) => {
    await writeFile(path, `{"nums":[1,2],"target":3}\n${line}\n`);
    await expect(countdown({ rows: path }).problems("train")).rejects.toMatchObject({
      code: "data",
      message: expect.stringMatching(message),
    });
  });
});

describe("options", () => {
  test.each([
    [{ wordng: "compact" }, /unknown option "wordng"/, /did you mean "wording"/],
    [{ xyzzy: 1 }, /unknown option "xyzzy"/, /the options are wording, /],
    [{ wording: "short" }, /wording: .*tinyzero.*, got "short"/, /the options are/],
    [{ numbers: 1 }, /numbers: .*2.*, got 1/, /the options are/],
    [{ operators: "+" }, /operators: /, /the options are/],
    [{ min: 9, max: 5 }, /min must not exceed max, got 9 and 5/, undefined],
    [{ targetMin: 9, targetMax: 5 }, /targetMin must not exceed targetMax/, undefined],
    [null, /options: .*object/, /the options are/],
  ])("%j is refused", (options, message, hint) => {
    expect(() => countdown(options as CountdownOptions)).toThrow(
      expect.objectContaining({
        code: "config",
        message: expect.stringMatching(message),
        hint: hint && expect.stringMatching(hint),
      }),
    );
  });
});
