import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MulliganError } from "../core/errors.ts";
import type { Split } from "../core/task.ts";
import { defineTask } from "./define-task.ts";
import type { TaskDefinition } from "./definition/definition.ts";

interface Row {
  id?: string | number;
  question: string;
}

const rows: Row[] = Array.from({ length: 200 }, (_, i) => ({ question: `what is ${i}?` }));
const minimal: TaskDefinition<Row> = {
  rows,
  prompt: (row) => row.question,
  verify: (answer) => answer === "yes",
};
const define = (changes: object) => defineTask({ ...minimal, ...changes } as TaskDefinition<Row>);
const row = rows[3]!;
const SPLITS: Split[] = ["train", "validation", "test"];

test("three things make a task; the rest is the paper's wording", () => {
  const task = defineTask(minimal);
  expect(task.name).toBe("task");
  expect(task.prompt(row)).toEqual([{ role: "user", content: "what is 3?" }]);
  expect(task.reflectionPrompt(row)).toBe(
    "You tried solving the problem and got the wrong answer. Reflect on what went wrong and write a short " +
      "explanation that will help you do better next time.",
  );
  expect(task.retryPrompt(row)).toBe("what is 3?");
  expect(task.plainRetryPrompt(row)).toBe(
    "You tried solving the problem and got the wrong answer. Try again.\n\nwhat is 3?",
  );
  expect(task.verify("yes", row)).toBe(true);
  expect(task.leaks).toBeUndefined();
});

test("every turn can be worded anew, as text or by row", () => {
  const task = define({
    name: "mine",
    prompt: (it: Row) => [
      { role: "system", content: "be brief" },
      { role: "user", content: it.question },
    ],
    reflectionPrompt: "why?",
    plainRetryPrompt: (it: Row) => `again: ${it.question}`,
    leaks: (reflection: string) => reflection.includes("3"),
  });
  expect(task.name).toBe("mine");
  expect(task.prompt(row)).toHaveLength(2);
  expect(task.reflectionPrompt(row)).toBe("why?");
  expect(task.retryPrompt(row)).toBe("what is 3?");
  expect(task.plainRetryPrompt(row)).toBe("again: what is 3?");
  expect(task.leaks?.("it is 3", row)).toBe(true);
});

test("tools go to the chat template as they are", () => {
  const tools = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];
  expect(define({ tools: () => tools }).tools?.(row)).toBe(tools);
  expect(define({ tools: () => [] }).tools?.(row)).toEqual([]);
  expect(defineTask(minimal).tools).toBeUndefined();
});

test("a verifier may use this", () => {
  const definition: TaskDefinition<Row> = {
    ...minimal,
    name: "42",
    verify(answer) {
      return answer === this.name;
    },
  };
  expect(defineTask(definition).verify("42", row)).toBe(true);
});

describe("rows", () => {
  test("in one list fall about 80/10/10 to the splits, each to one, the same every time", async () => {
    const lists = await Promise.all(SPLITS.map((split) => defineTask(minimal).problems(split)));
    expect(lists.flat().length).toBe(200);
    expect(new Set(lists.flat().map(({ id }) => id)).size).toBe(200);
    expect(lists[0]!.length).toBeGreaterThan(140);
    for (const list of lists.slice(1)) expect(list.length).toBeGreaterThan(8);
    expect(await defineTask(minimal).problems("test")).toEqual(lists[2]);
  });

  test("keep their split when others are added", async () => {
    const withIds = rows.map((it, i) => ({ ...it, id: `q${i}` }));
    const before = await define({ rows: withIds.slice(0, 100) }).problems("test");
    const after = await define({ rows: withIds }).problems("test");
    expect(after.map(({ id }) => id)).toEqual(expect.arrayContaining(before.map(({ id }) => id)));
  });

  test("may come from a function, loaded once, or from a file", async () => {
    let calls = 0;
    const task = define({
      rows: async () => {
        calls++;
        return rows;
      },
    });
    await Promise.all(SPLITS.map((split) => task.problems(split)));
    expect(calls).toBe(1);

    const folder = await mkdtemp(join(tmpdir(), "define-task-"));
    const path = join(folder, "rows.jsonl");
    await writeFile(path, rows.map((it) => JSON.stringify(it)).join("\n"));
    expect(await define({ rows: path }).problems("train")).toEqual(await task.problems("train"));
    await writeFile(path, "\n");
    await expect(define({ rows: path }).problems("train")).rejects.toThrow(/holds no rows/);
    await rm(folder, { recursive: true });
  });

  test("given by split are taken as they are, ids from the rows where they have one", async () => {
    const task = define({
      rows: {
        train: [{ id: 7, question: "a" }],
        validation: () => [{ question: "b" }],
        test: [{ id: "t", question: "c" }],
      },
    });
    const ids = await Promise.all(
      SPLITS.map(async (split) => (await task.problems(split)).map(({ id }) => id)),
    );
    expect(ids).toEqual([["7"], ["validation-1"], ["t"]]);
  });

  test("with the same id twice are refused, also across splits", async () => {
    const twice = [
      { id: 1, question: "a" },
      { id: "1", question: "b" },
    ];
    await expect(define({ rows: twice }).problems("train")).rejects.toMatchObject({
      code: "data",
      message: 'task task: id "1" is given twice: row 1 and row 2',
    });
    const task = define({ rows: { train: [twice[0]], validation: [{ question: "v" }], test: [twice[1]] } });
    await task.problems("train");
    await expect(task.problems("test")).rejects.toThrow(/given twice: train 1 and test 1/);
  });

  test("too few to fill a split, none at all, or no list are refused", async () => {
    await expect(define({ rows: [{ question: "a" }] }).problems("train")).rejects.toMatchObject({
      code: "data",
      hint: "give more rows, or rows: { train, validation, test }",
    });
    await expect(define({ rows: [] }).problems("train")).rejects.toThrow(/rows is empty/);
    await expect(define({ rows: () => "rows" }).problems("train")).rejects.toThrow(
      /must give a list, got string/,
    );
    await expect(define({ rows: "no-such-file.jsonl" }).problems("train")).rejects.toThrow(/no-such-file/);
  });
});

test("the right answer is the row's own, unless the task says another", () => {
  const answered = (answer: unknown) => define({}).answer?.({ question: "a", answer } as never);
  expect([answered("x"), answered(4), answered(undefined), answered([1])]).toEqual([
    "x",
    "4",
    undefined,
    undefined,
  ]);
  expect(define({ answer: (it: Row) => `so: ${it.question}` }).answer?.(row)).toBe("so: what is 3?");
});

test("a verifier may be a command, which also works outside a run", async () => {
  const command = ["/bin/sh", "-c", "grep -q yes"];
  const task = define({ verify: { command } });
  expect(task.external).toEqual({ command });
  expect(await task.verify("yes", row)).toEqual({ kind: "solved" });
  expect(await task.verify("no", row)).toEqual({ kind: "failed", feedback: "" });
});

describe("a broken definition is refused:", () => {
  test.each([
    [
      { verify: { command: "python3 check.py" } },
      "verify must be a function of an answer and a row, { command",
    ],
    [{ verify: { command: [] } }, "verify must be"],
    [{ verify: { command: ["a\0b"] } }, "verify must be"],
    [{ verify: { command: ["a"], url: "http://a" } }, "verify must be"],
    [{ verify: { command: ["a"], timeout: 3 } }, "verify must be"],
    [{ verify: { url: "localhost:80" } }, "verify must be"],
    [{ verify: { url: "file:///etc/passwd" } }, "verify must be"],
    [{ verify: { url: "http://a", headers: { key: 3 } } }, "verify must be"],
    [{ answer: "4" }, "answer must be a function of a row, got string"],
    [
      { verify: undefined },
      "verify must be a function of an answer and a row, { command: [program, …] } or { url }, got nothing",
    ],
    [{ prompt: "a question" }, "prompt must be a function of a row, got string"],
    [{ rows: undefined }, "rows must be a list, a path, a function, or"],
    [{ rows: { train: [] } }, "rows must be a list"],
    [{ reflectionPrompt: 3 }, "reflectionPrompt must be text or a function of a row, got number"],
    [{ tools: [] }, "tools must be a function of a row, got object"],
    [{ name: 3 }, "name must be text, got number"],
    [{ reflectPrompt: "why?" }, 'unknown field "reflectPrompt"'],
  ])("%j", (changes, message) => {
    expect(() => define(changes)).toThrow(expect.objectContaining({ code: "task" }));
    expect(() => define(changes)).toThrow(message);
  });

  test("no object at all", () => {
    expect(() => defineTask(undefined as never)).toThrow(MulliganError);
  });

  test.each([
    [undefined, "got undefined"],
    [7, "got 7"],
    [[], "got []"],
    [[{ role: "user" }], 'got [{"role":"user"}]'],
    [[{ role: "robot", content: "a" }], "must return text or messages"],
    [[{ role: "assistant", content: "a" }], "must return text or messages"],
  ])("a prompt that returns %j", (prompt, message) => {
    expect(() => define({ prompt: () => prompt }).prompt(row)).toThrow(message);
  });

  test.each([
    [undefined, "got undefined"],
    [
      [{ name: "f", parameters: {} }],
      'tools must return tool definitions, got [{"name":"f","parameters":{}}]',
    ],
    [[{ type: "function", function: { name: " " } }], "tools must return"],
    [[{ type: "function", function: { name: "f", description: 3 } }], "tools must return"],
    [[{ type: "function", function: { name: "f", parameters: [] } }], "tools must return"],
    [[null], "got [null]"],
  ])("tools that are %j", (tools, message) => {
    expect(() => define({ tools: () => tools }).tools?.(row)).toThrow(message);
  });

  test("a turn that is no text", () => {
    expect(() => define({ retryPrompt: () => 3 }).retryPrompt(row)).toThrow(
      "retryPrompt must return text, got 3",
    );
  });
});
