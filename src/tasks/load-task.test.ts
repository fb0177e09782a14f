import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BUILT_IN_TASKS, loadTask } from "./load-task.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "load-task-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const SUMS = `
  interface Row { a: number; b: number }
  export default defineTask<Row>({
    name: "sums",
    rows: { train: [{ a: 1, b: 2 }], validation: [{ a: 3, b: 4 }], test: [{ a: 5, b: 6 }] },
    prompt: ({ a, b }) => \`\${a} + \${b}?\`,
    verify: (answer, { a, b }) => Number(answer) === a + b,
  });`;

const ON_FILES = ["gsm8k", "math", "multiple-choice"];

test.each(BUILT_IN_TASKS.filter((name) => !ON_FILES.includes(name)))(
  "%s loads by name and gives problems that can be prompted",
  async (name) => {
    const task = await loadTask(name, { validation: 20 });
    expect(task.name).toBe(name);
    const problems = await task.problems("validation");
    expect(problems).toHaveLength(20);
    expect(task.prompt(problems[0]!.row).at(-1)!.role).toBe("user");
  },
);

test.each(ON_FILES)("%s loads by name and asks for a file", async (name) => {
  expect(BUILT_IN_TASKS).toContain(name);
  await expect(loadTask(name)).rejects.toMatchObject({
    code: "config",
    hint: expect.stringMatching(/"source"/),
  });
  const source = await file("rows.jsonl", '{"question": "1 + 1?", "choices": ["2", "3"], "answer": "2"}');
  const problems = await (await loadTask(name, { source: { test: source } })).problems("test");
  expect(problems).toHaveLength(1);
});

test.each(["mulligan/tasks", "mulligan"])(
  "a TypeScript file far from any package imports %s",
  async (name) => {
    const path = await file("sums.ts", `import { defineTask } from "${name}";${SUMS}`);
    const task = await loadTask(path);
    expect(task.name).toBe("sums");
    const [problem] = await task.problems("test");
    expect(task.prompt(problem!.row)).toEqual([{ role: "user", content: "5 + 6?" }]);
    expect(task.verify("11", problem!.row)).toBe(true);
  },
);

test("a plain JavaScript module does too", async () => {
  const text = SUMS.replace("interface Row { a: number; b: number }", "").replace("<Row>", "");
  const path = await file("sums.mjs", `import { defineTask } from "mulligan/tasks";${text}`);
  expect((await loadTask(path)).name).toBe("sums");
});

test("paths in a task file start from its folder", async () => {
  await writeFile(join(folder, "near.csv"), `a,b\n${"1,2\n".repeat(60)}`);
  const path = await file(
    "near.ts",
    `import { createRng, defineTask } from "mulligan";
     export default defineTask({ rows: "near.csv", prompt: ({ a }) => a + createRng(1).int(2, 2), verify: { command: ["./check.sh"] } });`,
  );
  const task = await loadTask(path);
  const [problem] = await task.problems("train");
  expect(problem!.row).toEqual({ a: "1", b: "2" });
  expect(task.prompt(problem!.row)).toEqual([{ role: "user", content: "12" }]);
  await writeFile(join(folder, "check.sh"), "#!/bin/sh\ngrep -q good\n", { mode: 0o755 });
  expect(await task.verify("good", problem!.row)).toEqual({ kind: "solved" });
});

test("a misspelt name gets the nearest one", async () => {
  await expect(loadTask("countdwon")).rejects.toMatchObject({
    code: "config",
    message: 'unknown task "countdwon"',
    hint: expect.stringMatching(
      /did you mean "countdown"\? built-in tasks are countdown, function-calling, retention/,
    ),
  });
  await expect(loadTask("constructor")).rejects.toMatchObject({ code: "config" });
});

test("an unknown option, or options for a file, are refused", async () => {
  await expect(loadTask("countdown", { number: 4 })).rejects.toMatchObject({
    hint: 'did you mean "numbers"?',
  });
  const path = await file("sums.ts", `import { defineTask } from "mulligan/tasks";${SUMS}`);
  await expect(loadTask(path, { seed: 1 })).rejects.toMatchObject({ code: "config" });
});

test("a file that is missing, has no default export or another one is refused", async () => {
  await expect(loadTask("./no/such/task.ts")).rejects.toMatchObject({
    code: "task",
    message: "task file ./no/such/task.ts: not found",
  });
  await expect(loadTask(await file("none.ts", "export const task = 1;"))).rejects.toThrow(
    /no default export/,
  );
  await expect(loadTask(await file("other.ts", "export default { name: 'x' };"))).rejects.toThrow(
    /is no task/,
  );
});

test("an error in the file says which file and what", async () => {
  const broken = await file("broken.ts", "export default {");
  await expect(loadTask(broken)).rejects.toMatchObject({
    code: "task",
    message: expect.stringMatching(/broken\.ts: cannot be loaded/),
  });
  const throws = await file("throws.ts", 'throw new Error("no database");');
  await expect(loadTask(throws)).rejects.toThrow(/cannot be loaded: no database/);
  const wrong = await file(
    "wrong.ts",
    'import { defineTask } from "mulligan/tasks"; export default defineTask({});',
  );
  await expect(loadTask(wrong)).rejects.toMatchObject({
    code: "task",
    message: expect.stringMatching(/prompt must be a function/),
  });
});
