/** Rows straight from a data set of the hub, as tasks ask for them. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMMIT, type FakeHub, fakeHub } from "../hub/fake-hub.test.kit.ts";
import type { HubEvent } from "../hub/fetch.ts";
import { loadTask } from "./load-task.ts";

const LATER = "89abcdef0123456789abcdef0123456789abcdef";
const table = (questions: string[], answers: string[]) =>
  Buffer.from(
    parquetWriteBuffer({
      columnData: [
        { name: "question", data: questions, type: "STRING" },
        { name: "answer", data: answers, type: "STRING" },
      ],
    }),
  );
const files = {
  "README.md": Buffer.from(
    "---\nconfigs:\n- config_name: main\n  data_files:\n  - {split: train, path: main/train-*}\n---",
  ),
  "main/train-00000-of-00002.parquet": table(["1+1?", "1+2?"], ["#### 2", "#### 3"]),
  "main/train-00001-of-00002.parquet": table(["1+3?"], ["#### 4"]),
  "extra/test.jsonl": Buffer.from('{"question": "2+2?", "answer": "#### 4"}\n'),
};
const repos = { "datasets/org/sums": { files } as Parameters<typeof fakeHub>[0][string] };

let hub: FakeHub;
let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  hub = await fakeHub(repos);
  folder = await mkdtemp(join(tmpdir(), "row-files-"));
  env = { HF_ENDPOINT: hub.endpoint, HF_HOME: folder };
});
afterAll(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

test("a task file takes a data set by name, and tells the commit, which gives the same rows again", async () => {
  const path = join(folder, "task.ts");
  await writeFile(
    path,
    `import { defineTask } from "mulligan";
     export default defineTask({
       rows: { train: "hf:org/sums:train", validation: "hf:org/sums/extra/test.jsonl", test: "hf:org/sums/extra/test.jsonl" },
       prompt: (row) => row.question,
       verify: () => true,
     });`,
  );
  const events: HubEvent[] = [];
  const task = await loadTask(path, {}, { env, onEvent: (event) => events.push(event) });
  const [train, test] = await Promise.all([task.problems("train"), task.problems("validation")]);
  expect(train.map(({ row }) => row)).toEqual([
    { question: "1+1?", answer: "#### 2" },
    { question: "1+2?", answer: "#### 3" },
    { question: "1+3?", answer: "#### 4" },
  ]);
  expect(test).toHaveLength(1);
  expect(events.at(-1)).toMatchObject({ type: "downloading" });
  const revisions = task.datasets!();
  expect(revisions).toEqual({ "org/sums@main": COMMIT });

  const moved = { ...files, "main/train-00001-of-00002.parquet": table(["other?"], ["#### 0"]) };
  repos["datasets/org/sums"] = { files: moved, revisions: { main: LATER, [LATER]: LATER } };
  const now = await loadTask(path, {}, { env });
  expect(await now.problems("train")).not.toEqual(train);
  const again = await loadTask(path, {}, { env: { ...env, HF_HUB_OFFLINE: "1" }, revisions });
  expect(await again.problems("train")).toEqual(train);
  expect(again.datasets!()).toEqual(revisions);
  repos["datasets/org/sums"] = { files };
});

test("a built-in task numbers rows through its shards", async () => {
  const source = { train: `hf:org/sums@${COMMIT}:main/train` };
  const task = await loadTask("gsm8k", { source }, { env });
  const problems = await task.problems("train");
  expect(problems.map(({ id, row }) => [id, (row as { answer: string }).answer])).toEqual([
    ["row-1", "2"],
    ["row-2", "3"],
    ["row-3", "4"],
  ]);
  expect(task.datasets!()).toEqual({});
});

test("tool calling reads Parquet of the hub, and what its text columns hold", async () => {
  const tools = JSON.stringify([{ name: "add", description: "", parameters: { a: { type: "int" } } }]);
  const columnData = [
    { name: "query", data: ["one", "two"], type: "STRING" as const },
    { name: "tools", data: [tools, tools], type: "STRING" as const },
    {
      name: "answers",
      data: ['[{"name": "add", "arguments": {"a": 1.0}}]', '[{"name": "add", "arguments": {"a": 2}}]'],
      type: "STRING" as const,
    },
  ];
  const data = Buffer.from(parquetWriteBuffer({ columnData }));
  const shards = { "data/train-00000-of-00002.parquet": data, "data/train-00001-of-00002.parquet": data };
  repos["datasets/org/sums"] = { files: shards };
  const task = await loadTask(
    "tool-calling",
    { source: { test: "hf:org/sums:train" } },
    { env: { ...env, HF_HOME: join(folder, "other") } },
  );
  const problems = await task.problems("test");
  expect(problems.map(({ id }) => id)).toEqual(["row-1", "row-2", "row-3", "row-4"]);
  expect(task.answer!(problems[0]!.row)).toContain("1.0");
  repos["datasets/org/sums"] = { files };
});

test("BFCL's answers are fetched with its questions", async () => {
  const question = {
    id: "simple_0",
    question: [[{ role: "user", content: "Add 1 and 2." }]],
    function: [
      {
        name: "add",
        description: "",
        parameters: { type: "dict", properties: { a: { type: "integer" } }, required: ["a"] },
      },
    ],
  };
  const answer = { id: "simple_0", ground_truth: [{ add: { a: [1] } }] };
  repos["datasets/org/sums"] = {
    files: {
      "v3/simple.json": Buffer.from(JSON.stringify(question)),
      "v3/possible_answer/simple.json": Buffer.from(JSON.stringify(answer)),
    },
  };
  const source = { test: "hf:org/sums/v3/simple.json" };
  const task = await loadTask("tool-calling", { source }, { env: { ...env, HF_HOME: join(folder, "bfcl") } });
  const [problem] = await task.problems("test");
  expect(problem!.id).toBe("simple_0");
  expect(task.answer!(problem!.row)).toContain('"a": 1');
  repos["datasets/org/sums"] = { files };
});

test("a name that is none is refused before anybody is asked", async () => {
  const task = await loadTask("gsm8k", { source: "hf:gsm8k" }, { env });
  await expect(task.problems("train")).rejects.toMatchObject({
    code: "data",
    message: 'rows: must name a data set of the hub, got "hf:gsm8k"',
  });
});
