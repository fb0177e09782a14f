/** A user begins a task of their own: the starter, what check-task says of it, the worked example, and a training step. */
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadTask } from "../../src/tasks/load-task.ts";
import { DEFAULT_LIMITS } from "../../src/verify/apart/limits.ts";
import { openVerifier } from "../../src/verify/apart/verifier.ts";
import { argvFrom, makeFolder, readLines, runArgv } from "./tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
});
afterAll(() => remove());

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("init", () => {
  test("writes a starter that is the one whose types are checked, and passes check-task", async () => {
    const target = join(folder, "new", "task");
    const { code, out } = await runArgv(["init", target]);
    expect([code, out]).toEqual([0, expect.stringContaining("npx mulligan check-task task.ts")]);
    expect((await readdir(target)).sort()).toEqual(["mulligan.config.ts", "rows.jsonl", "task.ts"]);
    for (const name of await readdir(target)) {
      // `npm run types` covers the folder starter/
      expect(await readFile(join(target, name))).toEqual(await readFile(join(root, "starter", name)));
    }
    const checked = await runArgv(["check-task", join(target, "task.ts")]);
    expect(checked).toMatchObject({ code: 0, err: "" });
    expect(checked.out).toMatch(/^task my-task: 25 rows to train on, 4 for validation, 3 for the test\n/);
    expect(checked.out).toMatch(/^gold answer +pass +32 +0 +0$/m);
    expect(checked.out).toMatch(/^empty +fail +0 +32 +0$/m);
    const dry = await runArgv(["train", "--config", join(target, "mulligan.config.ts"), "--dry-run"]);
    const settings = { task: join(target, "task.ts"), model: "mini", maxSteps: 10 };
    expect(JSON.parse(dry.out)).toMatchObject(settings);
  });

  test("says how to go on from a folder whose name a shell would take apart", async () => {
    const { out } = await runArgv(["init", join(folder, "it's mine")]);
    expect(out).toContain(`\nNext: cd '${folder}/it'\\''s mine' && npx mulligan check-task task.ts`);
  });

  test("is under 30 lines of code", async () => {
    const text = await readFile(join(root, "starter", "task.ts"), "utf8");
    const lines = text.split("\n").filter((line) => !/^\s*(\/\/|\/\*|$)/.test(line));
    expect(lines.length).toBeLessThan(30);
  });

  test("replaces nothing", async () => {
    const target = join(folder, "mine");
    await mkdir(target);
    await writeFile(join(target, "rows.jsonl"), "mine");
    expect(await runArgv(["init", target])).toEqual({
      code: 1,
      out: "",
      err: expect.stringMatching(
        /^error: .*rows\.jsonl: must not exist yet: init replaces no file\nhint: name another/,
      ),
    });
    expect(await readdir(target)).toEqual(["rows.jsonl"]);
    expect(await readFile(join(target, "rows.jsonl"), "utf8")).toBe("mine");
  });
});

describe("check-task", () => {
  test("ends with exit code 1 when gold fails, junk passes or is not judged, and shows which", async () => {
    const path = join(folder, "lax.ts");
    await writeFile(
      path,
      `import { defineTask } from "mulligan";
       const rows = Array.from({ length: 40 }, (_, i) => ({ answer: "x" + i }));
       export default defineTask({
         name: "lax", rows, prompt: ({ answer }) => "say " + answer,
         verify: (text, { answer }) => {
           if (text === "") process.exit(3);
           return text.includes(answer) && text !== "x7";
         },
       });`,
    );
    const { code, out, err } = await runArgv(["check-task", path, "--rows", "40"]);
    expect(code).toBe(1);
    expect(out).toMatch(/^the prompt itself +fail +40 +0 +0$/m);
    expect(out).toMatch(/^! gold answer, problem row-8: "x7" is failed$/m);
    expect(out).toMatch(
      /^! empty, problem row-\d+: "" is unscored: the verifier ended its process \(exit code 3\)$/m,
    );
    expect(err).toMatch(
      /^error: task "lax": gold answer: 1 of 40 fail; .*empty: 4 of 4 cannot be judged; .*the prompt itself: 40 of 40 pass\nhint: /,
    );
  });

  test.each(["countdown", "function-calling", "retention", "tool-calling"])(
    "finds %s sound",
    async (name) => {
      const { code, out, err } = await runArgv([
        "check-task",
        name,
        "--task-options",
        '{"seed": 3}',
        "--rows",
        "20",
      ]);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toMatch(/^gold answer +pass +20 +0 +0$/m);
    },
  );

  test("names a task that is not there", async () => {
    expect(await runArgv(["check-task", "./nowhere.ts"])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: task file \.\/nowhere\.ts: not found\n/),
    });
  });
});

const example = (name: string) => join(root, "examples", name);

describe("the examples", () => {
  test.each(["multiplication.ts", "own-task/task.ts", "javascript-code/task.ts"])(
    "%s passes check-task",
    async (name) => {
      const { code, out, err } = await runArgv(["check-task", example(name), "--rows", "20"]);
      expect([code, err]).toEqual([0, ""]);
      expect(out).toMatch(/^gold answer +pass +20 +0 +0$/m);
    },
  );

  test("own-task: the shipped model's failures are collected, and a step learns from them", async () => {
    const flags = {
      ...{ "--task": example("own-task/task.ts"), "--model": "mini", "--threads": 1 },
      ...{ "--collect.max-problems": 40, "--max-steps": 1, "--failures-per-step": 4, "--num-generations": 4 },
      ...{ "--eval.steps": 0, "--eval.test-problems": 4, "--eval.bootstrap": 100 },
    };
    const output = join(folder, "own-task");
    const { code, out } = await runArgv(argvFrom("train", { ...flags, "--output-dir": output }));
    expect(code).toBe(0);
    expect(out).toContain("Task own-task;");
    const failures = (await readLines(join(output, "failures.jsonl"))).slice(1);
    // the miniature gets about half of them right
    expect(failures.length).toBeGreaterThan(5);
    expect(failures.length).toBeLessThan(35);
    for (const { problemId } of failures) expect(problemId).toMatch(/^sum-\d+$/);
    const [step] = await readLines(join(output, "metrics.jsonl"));
    expect(step).toMatchObject({ step: 1 });
    expect(await readLines(join(output, "traces.jsonl"))).toHaveLength(1 + 4);
  });

  test.runIf(hasPython())("own-task: the check in Python agrees with the one in TypeScript", async () => {
    const path = example("own-task/task.ts");
    const task = await loadTask(path);
    const [problem] = await task.problems("train");
    const python = await openVerifier({ command: ["python3", "check.py"] }, DEFAULT_LIMITS, dirname(path));
    const { answer } = problem!.row as { answer: string };
    const texts = [
      `<answer>${answer}</answer>`,
      `so: <answer> ${answer} </answer>`,
      "<answer>7,</answer>",
      answer,
    ];
    const verdicts = await Promise.all(texts.map((text) => python.verify(text, problem!.row)));
    await python.close();
    expect(verdicts.map(({ kind }) => kind === "solved")).toEqual(
      texts.map((text) => task.verify(text, problem!.row)),
    );
    expect(verdicts[3]).toEqual({ kind: "failed", feedback: "nothing in <answer>…</answer>" });
  });
});

function hasPython(): boolean {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
