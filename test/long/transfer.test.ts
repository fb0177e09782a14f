/** What a run changed elsewhere: `mulligan transfer` on a finished run. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  makeFolder,
  makeParityTask,
  makeTinyModel,
  run,
  runArgv,
  snapshot,
  tiny,
} from "../e2e/tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let output: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  output = join(folder, "run");
  const flags = {
    ...{ ...tiny, "--task-options": "{}", "--task": await makeParityTask(folder) },
    ...{ "--model": await makeTinyModel(join(folder, "model")), "--output-dir": output },
  };
  expect((await run("train", flags)).code).toBe(0);
  await writeFile(
    join(folder, "always.ts"),
    `import { defineTask } from "mulligan";
const rows = Array.from({ length: 200 }, (_, i) => ({ q: i }));
// room for a first try, which is all that is sampled, and none for an episode, which would put the question again
const prompt = ({ q }) => \`copy: \${"x".repeat(180)} \${q}\`;
export default defineTask({ name: "always", rows, prompt, verify: () => true });
`,
  );
});
afterAll(() => remove());

const transfer = (...more: string[]) => runArgv(["transfer", output, ...more]);
const written = async () => JSON.parse(await readFile(join(output, "transfer.json"), "utf8"));

test("both models attempt the other tasks; the table is printed and kept", async () => {
  const tasks = JSON.stringify([
    { task: "retention", taskOptions: { kinds: ["copy"] }, name: "copy" },
    { task: join(folder, "always.ts") },
  ]);
  const { code, out, err } = await transfer("--tasks", tasks, "--problems", "8");
  expect([code, err.includes("error")]).toEqual([0, false]);
  expect(out.split("\n").map((line) => line.split(/ {2,}/)[0])).toEqual([
    "first tries",
    expect.stringMatching(/^-+$/),
    "copy",
    "always",
    "",
  ]);
  const [copy, always] = await written();
  expect(copy).toMatchObject({ task: "copy", problems: 8 });
  const one = { estimate: 1, low: 1, high: 1 };
  expect(always).toEqual({
    ...{ task: "always", problems: 8, start: one, trained: one },
    gain: { estimate: 0, low: 0, high: 0 },
  });
});

test("the model that a run began with is measured as it was", async () => {
  const parity = join(folder, "parity.ts");
  await transfer("--tasks", parity, "--problems", "6");
  const first = await written();
  await transfer("--tasks", parity, "--problems", "6");
  expect(await written()).toEqual(first);
});

test("a folder that is no finished run, and tasks that are none, are refused and nothing is written", async () => {
  const before = await snapshot(output);
  expect((await runArgv(["transfer", folder])).err).toMatch(
    /must be a finished run, got none of its config.json/,
  );
  expect((await transfer("--tasks", '[{"tsk": "x"}]')).err).toMatch(
    /^error: tasks: must be names or a JSON list/,
  );
  expect((await transfer("--tasks", "contdown")).err).toMatch(/unknown task "contdown"/);
  expect((await transfer("--problems", "0")).err).toMatch(/problems: must be a whole number of at least 1/);
  expect(await snapshot(output)).toEqual(before);
});
