/** A user collects first and trains later, measures and looks at what came of it, brings a task of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  argvFrom,
  type Flags,
  makeFolder,
  makeParityTask,
  makeTinyModel,
  readLines,
  run,
  tiny,
} from "./tiny.test.kit.ts";

let folder: string;
let remove: () => Promise<void>;
let model: string;
/** Solved about half the time. */
let parity: Flags;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  model = await makeTinyModel(join(folder, "model"));
  const task = await makeParityTask(folder);
  parity = { ...tiny, "--model": model, "--task": task, "--task-options": "{}" };
});
afterAll(() => remove());

/** Of the flags, those that a command has. */
const only = (flags: Flags, ...names: RegExp[]) =>
  Object.fromEntries(Object.entries(flags).filter(([flag]) => names.some((name) => name.test(flag))));
const shared = [/preset|model|task|threads|seed/, /max-(attempt|completion)-length/];

describe("collect", () => {
  test("keeps the failures in a file from which train goes on", async () => {
    const output = join(folder, "failures");
    const collected = await run("collect", { ...only(parity, ...shared, /collect/), "--output-dir": output });
    const file = join(output, "failures.jsonl");
    expect(collected.code).toBe(0);
    // random words hardly ever end by themselves
    expect(collected.err).toMatch(
      /^warning: \d+ % of the failed attempts were cut at 6 tokens; --max-attempt-length raises that$/m,
    );
    expect(collected.out).toMatch(/^problems +12: never solved \d+, sometimes 0, always \d+\nattempts +12: /);
    expect(collected.out.endsWith(`\n${file}\n`)).toBe(true);
    expect((await readdir(output)).sort()).toEqual([
      "collect.json",
      "config.json",
      "environment.json",
      "failures.jsonl",
    ]);
    const failures = await readFile(file, "utf8");

    const trained = join(folder, "trained-on-failures");
    const { code, err } = await run("train", { ...parity, "--failures": file, "--output-dir": trained });
    expect([code, /^collect/m.test(err)]).toEqual([0, false]);
    // the run folder is complete: the run can be resumed without the other folder
    expect(await readFile(join(trained, "failures.jsonl"), "utf8")).toBe(failures);
    const known = new Set((await readLines(file)).map(({ id }) => id));
    for (const { failureId } of (await readLines(join(trained, "traces.jsonl"))).slice(1)) {
      expect(known).toContain(failureId);
    }
  });
});

describe("collect, stopped", () => {
  // 12 × 60 attempts with 4 failures each: several rounds
  const limits = { "--collect.tries": 60, "--collect.max-failures-per-problem": 40 };
  const names = [/preset|model|task|threads|seed/, /max-attempt-length/, /collect/];

  test("goes on with --resume to the same files, to the last byte", async () => {
    const [whole, stopped] = [join(folder, "collect-whole"), join(folder, "collect-stopped")];
    const flags = { ...only(parity, ...names), ...limits };
    expect((await run("collect", { ...flags, "--output-dir": whole })).code).toBe(0);

    const first = await run(
      "collect",
      { ...flags, "--output-dir": stopped },
      { stopAt: /^collect {2}\d+\//m },
    );
    expect([first.code, first.out]).toEqual([130, ""]);
    expect(first.err).toContain(
      `stopped; continue with: mulligan collect --output-dir ${stopped} --resume\n`,
    );
    expect((await readdir(stopped)).sort()).toEqual(["collecting.jsonl", "config.json", "environment.json"]);

    const other = await run("collect", { "--output-dir": stopped, "--resume": true, "--collect.tries": 61 });
    expect([other.code, other.err]).toEqual([
      1,
      expect.stringMatching(/^error: collect.tries: must be as when the run began, 60, got 61\nhint: /),
    ]);
    expect((await run("collect", { "--output-dir": stopped, "--resume": true })).code).toBe(0);
    expect((await readdir(stopped)).sort()).toEqual((await readdir(whole)).sort());
    for (const name of ["failures.jsonl", "collect.json"]) {
      expect(await readFile(join(stopped, name), "utf8")).toBe(await readFile(join(whole, name), "utf8"));
    }
  });
});

describe("a task of one's own", () => {
  test("is a TypeScript file; some of its groups have signal, and training changes the model", async () => {
    const output = join(folder, "own");
    const { code, out } = await run("train", { ...parity, "--output-dir": output, "--failures-per-step": 6 });
    expect(code).toBe(0);
    expect(out).toContain("Task parity;");
    const metrics = await readLines(join(output, "metrics.jsonl"));
    expect(metrics.some((line) => Number(line["groups/live"]) > 0)).toBe(true);
    expect(await readFile(join(output, "model", "model.safetensors"))).not.toEqual(
      await readFile(join(model, "model.safetensors")),
    );
  });
});

describe("a trained run", () => {
  let output: string;
  beforeAll(async () => {
    output = join(folder, "run");
    expect((await run("train", { ...parity, "--output-dir": output })).code).toBe(0);
  });
  /** "first try" of a report. */
  const firstTry = (out: string) => /^first try +([\d.]+ %)/m.exec(out)?.[1];

  test("eval measures the model itself, with intervals and controls", async () => {
    const { code, out } = await run("eval", only(parity, ...shared, /eval/));
    expect(code).toBe(0);
    expect(out).toMatch(/^6 problems, \d failures?\nfirst try +\d+\.\d % {2}\[\d+\.\d %, \d+\.\d %\]\n/);
    expect(out).toContain("another problem's reflection");
  });

  test("eval measures a checkpoint with the settings of its run, and finds what the run found", async () => {
    const results = JSON.parse(await readFile(join(output, "results.json"), "utf8"));
    const expected = `${(100 * results.measures.first_try.trained.estimate).toFixed(1)} %`;
    for (const checkpoint of [output, join(output, "checkpoint-2"), join(output, "model")]) {
      const { code, out, err } = await run("eval", { "--checkpoint": checkpoint });
      expect([code, firstTry(out), err.includes("error")]).toEqual([0, expected, false]);
    }
  });

  test("sample shows episodes that a person can read", async () => {
    const { code, out } = await run("sample", { "--checkpoint": output, "--count": 2 });
    expect(code).toBe(0);
    expect(out).toMatch(/^1\.\n {3}task +copy: \d+\n {3}attempt +\S/);
    for (const label of ["reflection", "retry", "verdict"])
      expect(out).toMatch(new RegExp(`^ {3}${label} `, "m"));
    expect(out).toContain("\n2.\n");
    expect(out).not.toContain("\n3.\n");
  });

  test("sample says so when no attempt failed", async () => {
    const task = join(folder, "easy.ts");
    await writeFile(
      task,
      `import { defineTask } from "mulligan/tasks";
       export default defineTask({ rows: Array.from({ length: 40 }, (_, i) => i), prompt: String, verify: () => true });`,
    );
    const flags = { ...only(parity, ...shared), "--task": task };
    expect(await run("sample", flags)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^no failed attempt among \d+: nothing to reflect on\n$/),
    });
  });
});

test("demo takes a training's flags, and ends with episodes before and after", async () => {
  const output = join(folder, "demo");
  const flags = only(parity, /preset|model|task|threads|steps|failures-per-step|generations|collect|eval/);
  const { code, out } = await run("demo", { ...flags, "--output-dir": output });
  expect(code).toBe(0);
  expect(out).toMatch(/1\. .*\n {3}task[\s\S]* {3}before training\n[\s\S]* {3}after training\n/);
  expect(out).toContain(`Everything lies in ${output}\n`);
});

describe("the executable", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const built = join(root, "dist", "cli", "main.js");
  const tsx = createRequire(import.meta.url).resolve("tsx");
  /** What an older build does says nothing. */
  const isBuilt = () =>
    existsSync(built) &&
    readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.includes(".test."))
      .every((name) => statSync(join(root, "src", name)).mtimeMs <= statSync(built).mtimeMs);

  const programs: [name: string, node: string[], canRun: boolean][] = [
    ["from sources", ["--import", tsx, join(root, "src", "cli", "main.ts")], true],
    ["as built", [built], isBuilt()],
  ];
  describe.each(programs.filter(([, , canRun]) => canRun))("%s", (name, node) => {
    /** Starts a training where the test's folder is; `onError` sees what it says so far. */
    async function start(flags: Flags, onError: (said: string, child: ChildProcess) => void = () => {}) {
      const argv = [...node, ...argvFrom("train", { ...parity, ...flags })];
      const child = spawn(process.execPath, argv, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
      let [out, err] = ["", ""];
      child.stdout.on("data", (data) => {
        out += data;
      });
      child.stderr.on("data", (data) => {
        err += data;
        onError(err, child);
      });
      const [code] = await once(child, "close");
      return { code, out, err };
    }

    test("trains in its own process, ends by itself and writes where it stands", async () => {
      const { code, out, err } = await start({ "--output-dir": name });
      expect([code, err.includes("error")]).toEqual([0, false]);
      expect(out).toContain(`Everything lies in ${join(folder, name)}\n`);
      expect(await readdir(join(folder, name))).toContain("results.json");
    });

    test("stops after a step on Ctrl-C, with a checkpoint and the command that continues", async () => {
      const output = `${name}, stopped`;
      const flags = { "--output-dir": output, "--max-steps": 100_000, "--eval.steps": 0 };
      const { code, err } = await start(flags, (said, child) => {
        if (/^train/m.test(said) && !said.includes("stopping")) child.kill("SIGINT");
      });
      expect(code).toBe(130);
      expect(err).toContain("stopping after this step (Ctrl-C again to quit at once)\n");
      expect(err).toMatch(
        /checkpoint: .*\nstopped; continue with: mulligan train --output-dir '.*, stopped' --resume\n$/,
      );
      expect(await readdir(join(folder, output))).toContain("latest");
    });
  });
});
