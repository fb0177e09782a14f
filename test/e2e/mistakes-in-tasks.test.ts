/** Rows, failures or the file of one's own task are not what they should be. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { setUpWorkbench } from "./mistakes.test.kit.ts";
import { type Flags, makeTinyModel, run, tiny } from "./tiny.test.kit.ts";

const bench = setUpWorkbench();

describe("data", () => {
  const countdownRows = async (...lines: string[]): Promise<Flags> => {
    const rows = join(bench.own, "rows.jsonl");
    const good = Array.from({ length: 80 }, (_, i) =>
      JSON.stringify({ nums: [1 + (i % 20), 2, 3 + i], target: 6 + i }),
    );
    await writeFile(rows, [...good, ...lines].join("\n"));
    return { "--task-options": JSON.stringify({ wording: "compact", rows }) };
  };

  test.each([
    ["is not JSON", '{"nums": [1, 2', /rows\.jsonl, line 81: not JSON: .*\nhint: every line/],
    ["lacks a field", '{"nums": [1, 2, 3]}', /rows\.jsonl, line 81: .*target/],
  ])("with a line that %s", async (_, line, message) => {
    expect(await bench.refusal(await countdownRows(line))).toMatch(message);
  });

  test("that is not there", async () => {
    const options = JSON.stringify({ rows: join(bench.own, "none.jsonl") });
    expect(await bench.refusal({ "--task-options": options })).toMatch(
      /^error: .*none\.jsonl: cannot be read: .*\nhint: /,
    );
  });

  test("of failures that is broken", async () => {
    const failures = join(bench.own, "failures.jsonl");
    await writeFile(failures, '{"kind": "failures"}\n');
    expect(await bench.refusal({ "--failures": failures })).toMatch(
      /^error: .*failures\.jsonl, line 1 \(header\): .*\nhint: collect/,
    );
  });

  test("of failures with tokens that the model has not", async () => {
    const failures = join(bench.own, "failures.jsonl");
    const flags = { "--preset": "mini", "--model": bench.model, "--collect.max-problems": 5 };
    await run("collect", { ...flags, "--output-dir": join(bench.own, "collected") });
    const text = await readFile(join(bench.own, "collected", "failures.jsonl"), "utf8");
    // the first token of every prompt
    await writeFile(
      failures,
      text.replaceAll('"conversation":{"tokens":[2,', '"conversation":{"tokens":[99999,'),
    );
    expect(await bench.refusal({ "--failures": failures })).toMatch(
      /^error: failures: tokens must be under the model's vocab_size \d+, got 99999 in ".*#0"\nhint: collect/,
    );
  });

  test("of failures of another task", async () => {
    const collected = join(bench.own, "collected");
    const flags = {
      "--preset": "mini",
      "--model": bench.model,
      "--max-attempt-length": 6,
      "--collect.max-problems": 5,
    };
    await run("collect", { ...flags, "--output-dir": collected });
    const failures = join(collected, "failures.jsonl");
    expect(
      await bench.refusal({ "--failures": failures, "--task": bench.parity, "--task-options": "{}" }),
    ).toMatch(
      /^error: failures: must be this model's own at this task, but the task: "countdown" then, "parity" now\nhint: collect/,
    );
  });

  test("of failures of another model, unless told; and it warns of other sampling", async () => {
    const collected = join(bench.own, "collected");
    const flags = {
      "--preset": "mini",
      "--max-attempt-length": 6,
      "--collect.max-problems": 5,
      "--threads": 1,
    };
    await run("collect", { ...flags, "--model": bench.model, "--output-dir": collected });
    const other = await makeTinyModel(join(bench.own, "other-model"));
    await writeFile(
      join(other, "tokenizer_config.json"),
      `${await readFile(join(other, "tokenizer_config.json"), "utf8")}\n`,
    );
    const given = { "--failures": join(collected, "failures.jsonl"), "--model": other };
    expect(await bench.refusal(given)).toMatch(
      /^error: failures: must be this model's own at this task, but the model's tokenizer: [0-9a-f]{12} then, [0-9a-f]{12} now\nhint: .*--allow-mismatch\n/,
    );
    const quantised = { "--quantization": "int8", "--lora-r": 2 };
    const mixed = {
      ...tiny,
      ...given,
      ...quantised,
      "--temperature": 0.9,
      "--max-steps": 0,
      "--eval.steps": 0,
    };
    const { code, err } = await run("train", {
      ...mixed,
      ...{ "--output-dir": bench.output, "--allow-mismatch": true },
    });
    expect([code, err.match(/^warning: .*$/gm)]).toEqual([
      0,
      [
        "warning: failures: temperature: 1 then, 0.9 now",
        'warning: failures: quantization: "none" then, "int8" now',
      ],
    ]);
  });
});

describe("a task", () => {
  const valid = { prompt: "(row) => row", verify: "(answer) => answer.length % 2 === 0" };
  async function taskFile(source: string): Promise<Flags> {
    await writeFile(join(bench.own, "task.ts"), source);
    return { "--task": join(bench.own, "task.ts"), "--task-options": "{}" };
  }
  const defined = (changes: Partial<typeof valid>) =>
    taskFile(`import { defineTask } from "mulligan";
      const rows = Array.from({ length: 200 }, (_, i) => "copy: " + i);
      const { prompt, verify } = { prompt: ${changes.prompt ?? valid.prompt}, verify: ${changes.verify ?? valid.verify} };
      export default defineTask({ name: "mine", rows, prompt, verify });`);

  test("that is misspelt", async () => {
    expect(await bench.refusal({ "--task": "countdow" })).toMatch(
      /^error: unknown task "countdow"\nhint: did you mean "countdown"\?/,
    );
  });

  test("whose file is not there", async () => {
    expect(await bench.refusal({ "--task": "./nowhere.ts", "--task-options": "{}" })).toMatch(
      /^error: task file .*nowhere\.ts: not found\nhint: looked for/,
    );
  });

  test("whose file exports nothing", async () => {
    const flags = await taskFile("export const task = 1;");
    expect(await bench.refusal(flags)).toMatch(
      /^error: task file .*task\.ts: no default export\nhint: end the file with: export default/,
    );
  });

  test("whose file has a syntax error", async () => {
    const flags = await taskFile("export default {\n  name: 'x',\n  verify: (\n");
    expect(await bench.refusal(flags)).toMatch(/^error: task file .*task\.ts: cannot be loaded: .*task\.ts/);
  });

  test("whose prompt throws", async () => {
    const flags = await defined({ prompt: "(row) => row.question.trim()" });
    expect(await bench.refusal(flags)).toMatch(
      /^error: task "mine": a prompt of problem "row-\d+" threw: TypeError: .*\nhint: /,
    );
  });

  test("whose prompt is longer than the context", async () => {
    const flags = await defined({ prompt: '(row) => row + "x".repeat(row.endsWith("7") ? 300 : 0)' });
    expect(await bench.refusal(flags)).toMatch(
      /^error: problem "row-\d+": its prompt must be shorter than the model's context of 256 tokens, got 3\d\d\nhint: shorten/,
    );
  });

  test("whose verify always throws", async () => {
    const flags = await defined({ verify: '() => { throw new Error("no database"); }' });
    expect(await bench.refusal({ ...flags, "--collect.max-problems": 40 })).toMatch(
      /^error: task "mine": verify may leave at most 20 % of the answers unscored, left 9 of the first 9; for example:\n {2}problem "row-\d+", answer ".*": the verifier threw: no database\n(.*\n){2}hint: `mulligan check-task`/,
    );
  });

  test("in which nothing fails", async () => {
    const flags = await defined({ verify: "() => true" });
    expect(await bench.refusal(flags)).toMatch(
      /^error: failures: training needs at least one failed attempt, got none\nhint: collect from more problems/,
    );
  });

  test("whose rows cannot be had", async () => {
    const flags = await taskFile(`import { defineTask } from "mulligan";
      export default defineTask({ rows: () => { throw new Error("no network"); }, prompt: String, verify: () => true });`);
    expect(await bench.refusal(flags)).toMatch(/^error: task task: rows threw: Error: no network\n/);
  });

  test("without rows for a split", async () => {
    const flags = await taskFile(`import { defineTask } from "mulligan";
      export default defineTask({ rows: { train: ["a"], validation: [], test: ["b"] }, prompt: (row) => row, verify: () => true });`);
    expect(await bench.refusal(flags)).toMatch(/^error: task task: rows\.validation is empty\nhint: /);
  });
});
