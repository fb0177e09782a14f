/** Verifiers that misbehave in every way that happens: each leaves its answer unscored, soon, and nothing behind. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MARK } from "../verify/apart/guarded-process.ts";
import { DEFAULT_LIMITS } from "../verify/apart/limits.ts";
import { markedProcesses } from "../verify/apart/stragglers.ts";
import { verifyAnswer } from "../verify/verdict.ts";
import { type OpenTask, openTask } from "./open-task.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "open-task-"));
});
afterAll(() => rm(folder, { recursive: true }));

const open: OpenTask[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((task) => task.close()));
});

const limits = { ...DEFAULT_LIMITS, timeoutMs: 10_000, workers: 1, maxUnscoredFraction: 0.2 };
let files = 0;

/** Opens a task file whose verify is this source. */
async function taskWith(
  verify: string,
  changes: Partial<typeof limits> = {},
  head = "",
): Promise<OpenTask["task"]> {
  const path = join(folder, `task-${files++}.ts`);
  await writeFile(
    path,
    `import { defineTask } from "mulligan/tasks";
     import { spawn } from "node:child_process";
     ${head}
     export default defineTask({ rows: ["a", "b"], prompt: String, verify: ${verify} });`,
  );
  const opened = await openTask(path, { verifier: { ...limits, ...changes } });
  open.push(opened);
  return opened.task;
}

const ask = async (task: OpenTask["task"], answer: string, row: unknown = {}) =>
  verifyAnswer(task, answer, row, { timeoutMs: task.bounds!.timeoutMs });

/** Processes of this test's verifiers, daemons included. */
const left = () => markedProcesses(MARK, `${process.pid}.`);
const isLinux = process.platform === "linux";

const OFFENDERS: [what: string, bad: string, cause: RegExp][] = [
  ["loops for ever", "for (;;) {}", /^the verifier took longer than 1500 ms$/],
  ["never resolves", "return new Promise(() => {})", /^the verifier took longer than 1500 ms$/],
  [
    "matches a catastrophic regular expression",
    'return /^(a+)+$/.test("a".repeat(40) + "!")',
    /^the verifier took longer than 1500 ms$/,
  ],
  ["throws", 'throw new Error("no database")', /^the verifier threw: no database$/],
  ["throws what is no error", "throw undefined", /^the verifier threw: undefined$/],
  ["rejects unseen", 'Promise.reject(new Error("unseen")); return true', /^the verifier threw: unseen$/],
  [
    "throws in a timer",
    'setTimeout(() => { throw new Error("later"); }); return new Promise(() => {})',
    /^the verifier threw: later$/,
  ],
  ["leaves the process", "process.exit(0)", /^the verifier ended its process \(exit code 0\)$/],
  ["aborts the process", "process.abort()", /^the verifier ended its process \(SIGABRT\)/],
  ["exhausts the stack", "const f = () => f() + 1; return f()", /^the verifier threw: Maximum call stack/],
  [
    "writes without end",
    'for (;;) process.stdout.write("x".repeat(65536))',
    /^the verifier wrote more than 100000 bytes$/,
  ],
  ["returns what is no verdict", 'return "yes"', /^the verifier returned yes: expected true/],
];

/** One task for all of them: an answer that is the name of a misdeed brings it about, any other is judged. */
const OFFENDING = `(answer) => {
  const bad = { ${OFFENDERS.map(([what, bad]) => `${JSON.stringify(what)}: () => { ${bad} }`).join(",\n")} };
  return answer in bad ? bad[answer]() : answer === "yes";
}`;

describe("a verifier that", () => {
  let opened: OpenTask;
  beforeAll(async () => {
    await taskWith(OFFENDING, { memoryMb: 256, maxOutputBytes: 100_000, timeoutMs: 1500 });
    opened = open.pop()!;
  });
  afterAll(() => opened.close());

  test.each(OFFENDERS)(
    "%s leaves the answer unscored, and the next one is judged",
    async (what, _, cause) => {
      const began = performance.now();
      const verdicts = await Promise.all(
        ["yes", what, "yes", "no"].map((answer) => ask(opened.task, answer)),
      );
      expect(verdicts.map(({ kind }) => kind)).toEqual(["solved", "unscored", "solved", "failed"]);
      expect(verdicts[1]).toEqual({ kind: "unscored", cause: expect.stringMatching(cause) });
      expect(performance.now() - began).toBeLessThan(12_000);
    },
  );
});

describe("a verifier that", () => {
  test("fills the heap of its process ends with it", async () => {
    const task = await taskWith(
      '(answer) => { const kept = []; while (answer === "bad") kept.push(new Array(1e6).fill(0.5)); return true; }',
      { memoryMb: 256, timeoutMs: 20_000 },
    );
    expect(await ask(task, "bad")).toEqual({
      kind: "unscored",
      cause: expect.stringMatching(/FATAL ERROR.*heap out of memory/),
    });
    expect(await ask(task, "good")).toEqual({ kind: "solved" });
  });

  test.runIf(isLinux)("allocates a gigabyte of Buffers, which are in no heap", async () => {
    const task = await taskWith(
      `(answer) => {
      if (answer === "bad") { const kept = []; for (let i = 0; i < 64; i++) kept.push(Buffer.alloc(2 ** 24, 1)); }
      return answer === "yes";
    }`,
      { timeoutMs: 20_000 },
    );
    expect(await ask(task, "bad")).toEqual({
      kind: "unscored",
      cause: expect.stringMatching(
        /^the verifier threw: (Array buffer allocation failed|Failed to allocate memory)$/,
      ),
    });
    expect(await ask(task, "yes")).toEqual({ kind: "solved" });
  });

  test("forks a child that sleeps leaves no process when it hangs", async () => {
    const task = await taskWith(
      `(answer) => {
      if (answer !== "bad") return true;
      spawn("sleep", ["600"], { stdio: "inherit" });
      for (;;) {}
    }`,
      { timeoutMs: 1500 },
    );
    expect(await ask(task, "bad")).toMatchObject({ cause: "the verifier took longer than 1500 ms" });
    await expect.poll(left, { timeout: 5000 }).toEqual([]);
    expect(await ask(task, "good")).toEqual({ kind: "solved" });
  });

  test.runIf(isLinux)("starts a daemon in a session of its own does not outlive the run", async () => {
    const task = await taskWith(`() => {
      spawn("sleep", ["600"], { detached: true, stdio: "ignore" }).unref();
      return true;
    }`);
    expect(await ask(task, "good")).toEqual({ kind: "solved" });
    expect(left()).toHaveLength(3); // the pool's process, the shell beside it, and the daemon
    await open.pop()!.close();
    await expect.poll(left, { timeout: 5000 }).toEqual([]);
  });

  test("is given a row that cannot be sent says so, and goes on", async () => {
    const task = await taskWith("() => true");
    expect(await ask(task, "a", { check: () => true })).toMatchObject({
      kind: "unscored",
      cause: expect.stringMatching(/^the verifier cannot be sent this row: .*could not be cloned/),
    });
    expect(await ask(task, "a", { when: new Date(0), many: new Map([[1, 2n]]) })).toEqual({ kind: "solved" });
  });
});

test("verdicts come in the order asked for, whoever is fast, and every column reaches the verifier", async () => {
  const source = `async (answer, row) => {
    await new Promise((done) => setTimeout(done, (7 * row.place) % 20));
    return row.place % 3 === 0 ? { kind: "failed", feedback: answer + " of " + row.extra } : row.place / 100;
  }`;
  const judge = async (workers: number) => {
    const task = await taskWith(source, { workers });
    return Promise.all(
      Array.from({ length: 40 }, (_, place) => ask(task, `answer ${place}`, { place, extra: [place] })),
    );
  };
  const [one, three] = [await judge(1), await judge(3)];
  expect(three).toEqual(one);
  expect(one[3]).toEqual({ kind: "failed", feedback: "answer 3 of 3" });
  expect(one[4]).toEqual({ kind: "failed", feedback: "score 0.04" });
});

test("a verdict that came in time counts, though this thread was busy when its time ran out", async () => {
  const task = await taskWith('(answer) => answer === "yes"', { timeoutMs: 1500 });
  expect(await ask(task, "yes")).toEqual({ kind: "solved" }); // the process is warm
  const verdicts = [ask(task, "yes"), ask(task, "no")];
  await new Promise((done) => setImmediate(done)); // the first one is asked
  const until = performance.now() + 2000;
  while (performance.now() < until);
  expect(await Promise.all(verdicts)).toEqual([{ kind: "solved" }, { kind: "failed", feedback: "" }]);
});

test("no more processes run than asked for, and none once the task is closed", async () => {
  const task = await taskWith("() => new Promise((done) => setTimeout(() => done(true), 100))", {
    workers: 3,
  });
  const verdicts = Array.from({ length: 9 }, () => ask(task, "a"));
  const most = { seen: 0 };
  const watch = setInterval(() => {
    most.seen = Math.max(most.seen, left().length);
  }, 20);
  expect(new Set((await Promise.all(verdicts)).map(({ kind }) => kind))).toEqual(new Set(["solved"]));
  clearInterval(watch);
  if (isLinux) expect(most.seen).toBe(2 * 3); // each with the shell that watches over it
  const late = ask(task, "a");
  await open.pop()!.close();
  expect(await late).toEqual({ kind: "unscored", cause: "the verifier was closed" });
  expect(await ask(task, "a")).toEqual({ kind: "unscored", cause: "the verifier was closed" });
  await expect.poll(left, { timeout: 5000 }).toEqual([]);
});

test("a task that loads here but not in a process of its own is refused at once", async () => {
  const opened = taskWith("() => true", {}, `if (process.env.${MARK}) throw new Error("not twice");`);
  await expect(opened).rejects.toMatchObject({
    code: "task",
    message: expect.stringMatching(/cannot be loaded in a process of its own: .*not twice$/),
  });
  await expect.poll(left, { timeout: 5000 }).toEqual([]);
});

test("built-in tasks are verified in this process, within the configured bounds", async () => {
  const opened = await openTask("retention", { taskOptions: { test: 5 }, verifier: limits });
  const [problem] = await opened.task.problems("test");
  const { answer } = problem!.row as { answer: string };
  expect(opened.task.verify(`<answer>${answer}</answer>`, problem!.row)).toEqual({ kind: "solved" });
  expect(opened.task.bounds).toEqual({ timeoutMs: 10_000, maxUnscoredFraction: 0.2 });
  await opened.close();
});
