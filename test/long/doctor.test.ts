/** A user asks whether a run would work here, gets a line for each check, and sees what a run would do before it is made. */
import { cp, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveConfig } from "../../src/cli/config.ts";
import type { Check } from "../../src/train/doctor/check.ts";
import { diagnose as diagnoseRun } from "../../src/train/doctor/diagnose.ts";
import { setUpWorkbench } from "../e2e/mistakes.test.kit.ts";
import { type Flags, run, snapshot, tiny } from "../e2e/tiny.test.kit.ts";

const bench = setUpWorkbench();

/** The doctor's checks by name, its exit code and what it wrote to stderr. */
async function diagnose(flags: Flags = {}) {
  const all = { ...tiny, "--model": bench.model, "--output-dir": bench.output, ...flags };
  const { code, out, err } = await run("doctor", { ...all, "--json": true });
  const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: Check[] };
  const named = Object.fromEntries(checks.map((check) => [check.name, check]));
  const withStatus = (status: Check["status"]) =>
    checks.filter((check) => check.status === status).map(({ name }) => name);
  return { code, ok, err, named, failed: withStatus("failed"), skipped: withStatus("skipped") };
}

/** A copy of the tiny model to break. */
async function broken(change: (folder: string) => Promise<unknown>): Promise<Flags> {
  const copy = join(bench.own, "model");
  await cp(bench.model, copy, { recursive: true });
  await change(copy);
  return { "--model": copy };
}

const ALL = [
  ...["Node", "runtime", "threads", "settings", "run folder", "task", "verifier", "model", "weights", "disk"],
  ...["tokenizer", "template", "memory", "engine", "sampler", "training step"],
];

/** What holds the process: a stop may not leave more of it than there was. */
const held = () =>
  process.getActiveResourcesInfo().filter((kind) => /Worker|MessagePort|Process/.test(kind)).length;

describe("doctor", () => {
  test("that is stopped while it looks leaves neither engine nor task open, whatever it was looking at", async () => {
    const values = {
      ...{ task: bench.parity, model: bench.model, outputDir: bench.output, threads: 2 },
      ...{ maxSteps: 2, numGenerations: 2, maxAttemptLength: 6, maxCompletionLength: 6 },
    };
    const config = resolveConfig({ file: { path: "here", values } });
    const before = held();
    for (const stopAt of ALL) {
      const stop = new AbortController();
      const reason = new Error(`stopped at ${stopAt}`);
      const work = async () => {
        for await (const event of diagnoseRun(config, { signal: stop.signal })) {
          if (event.type === "checking" && event.name === stopAt) stop.abort(reason);
        }
      };
      await expect(work()).rejects.toBe(reason);
      await expect.poll(held, { message: `held after ${reason.message}` }).toBe(before);
    }
  });

  test("finds nothing wrong with a sound model and task, says so in aligned lines, and leaves nothing", async () => {
    const before = await snapshot(bench.model);
    const flags = { ...tiny, "--model": bench.model, "--output-dir": bench.output };
    const { code, out, err } = await run("doctor", flags);
    expect([code, err]).toEqual([0, ""]);
    const lines = out.split("\n").filter((line) => /^(ok|warning) /.test(line));
    expect(lines.map((line) => line.slice(9, 24).trim())).toEqual(ALL);
    expect(out).toMatch(/^ok {7}sampler {8}log-probabilities of \d+ tokens differ by at most \S+, /m);
    expect(out).toMatch(
      /^ok {7}training step {2}4 sequences, \d+ tokens sampled, in [\d.]+ s; gradient norm /m,
    );
    expect(out).toMatch(/\n\nA run would work here(?: \(1 warning above\))?\.\n$/);
    expect(await snapshot(bench.model)).toEqual(before);
    expect(await snapshot(bench.own)).toEqual({});
  });

  test("trains an adapter over integers for its step, as a run would", async () => {
    const { code, named } = await diagnose({ "--quantization": "int8", "--lora-r": 2 });
    expect(code).toBe(0);
    expect(named["training step"]!.found).toMatch(/gradient norm [\d.e-]+$/);
    const { failed, skipped } = await diagnose({ "--quantization": "int8" });
    expect([failed.includes("settings"), skipped.includes("settings")]).toEqual([true, false]);
  });

  test("names a model that is not there, and skips only what needs one", async () => {
    const found = await diagnose({ "--model": join(bench.own, "nowhere") });
    expect([found.code, found.ok, found.failed]).toEqual([1, false, ["model"]]);
    expect(found.skipped).toEqual(ALL.slice(ALL.indexOf("model") + 1));
    expect(found.named.engine!.found).toBe("needs weights, memory");
    expect(found.named.verifier!.status).toBe("ok");
    expect(found.err).toMatch(/^error: a run would not work here: model failed\nhint: /);
  });

  test("tells cut-off weights from a model that is not supported", async () => {
    const cut = await diagnose(await broken((copy) => truncate(join(copy, "model.safetensors"), 5000)));
    expect([cut.failed, cut.skipped]).toEqual([["weights"], ["engine", "sampler", "training step"]]);
    const unknown = await diagnose(
      await broken(async (copy) => {
        const path = join(copy, "config.json");
        const json = JSON.parse(await readFile(path, "utf8"));
        await writeFile(path, JSON.stringify({ ...json, model_type: "rwkv" }));
      }),
    );
    expect(unknown.failed).toEqual(["model"]);
    expect(unknown.named.model!.advice).toMatch(/^supported: llama/);
  });

  test("finds a tokenizer that cannot read the task", async () => {
    const shrunk = await diagnose(
      await broken(async (copy) => {
        const path = join(copy, "tokenizer.json");
        const json = JSON.parse(await readFile(path, "utf8"));
        for (const digit of "0123456789") delete json.model.vocab[digit];
        json.model.merges = [];
        await writeFile(path, JSON.stringify(json));
      }),
    );
    expect(shrunk.failed).toEqual(["tokenizer"]);
    expect(shrunk.skipped).toEqual(["template", "memory", "engine", "sampler", "training step"]);
  });

  const task = async (verify: string, rows = "[{ q: 'a', answer: '1' }, { q: 'b', answer: '2' }]") => {
    const path = join(bench.own, "task.ts");
    await writeFile(
      path,
      `import { defineTask } from "mulligan";
const rows = ${rows};
export default defineTask({
  name: "t",
  rows: { train: rows, validation: rows, test: rows },
  prompt: (row) => "copy: " + row.q,
  verify: ${verify},
});`,
    );
    return { "--task": path, "--task-options": "{}" };
  };

  test("finds a check that passes junk, without a model too", async () => {
    const { failed, named } = await diagnose({ ...(await task("(text) => true")), "--model": "nowhere" });
    expect(failed).toEqual(["verifier", "model"]);
    expect(named.verifier!.found).toMatch(/empty: 5 of 5 pass/);
  });

  test("finds a check that can judge nothing, which a step would stop at", async () => {
    const { failed } = await diagnose(await task("() => { throw new Error('no'); }"));
    expect(failed).toEqual(["verifier", "training step"]);
  });

  test("finds a task without rows, and looks at the model all the same", async () => {
    const { failed, skipped, named } = await diagnose(await task("(text) => true", "[]"));
    expect(failed).toEqual(["task"]);
    expect(skipped).toContain("verifier");
    expect(named.weights!.status).toBe("ok");
  });

  test("asked for more threads than cores tries the engine with as many as there are", async () => {
    const { code, named } = await diagnose({ "--threads": 99 });
    const [, cores] = /^99 threads on .*; what follows is tried with (\d+)$/.exec(named.threads!.found)!;
    expect(named.engine!.found).toMatch(
      new RegExp(`^loads on cpu with ${cores} thread${cores === "1" ? "" : "s"};`),
    );
    expect(code).toBe(0);
  });

  test("finds too many threads, a run that is there, and a folder that cannot be written", async () => {
    const many = await diagnose({ "--threads": 64, "--model": "nowhere" });
    expect(many.named.threads).toMatchObject({
      status: "warning",
      found: expect.stringMatching(/^64 threads on /),
    });
    await writeFile(join(bench.own, "file"), "");
    const below = await diagnose({ "--output-dir": join(bench.own, "file", "run"), "--model": "nowhere" });
    expect(below.failed).toEqual(["run folder", "model"]);
    await writeFile(join(bench.own, "metrics.jsonl"), "");
    const held = await diagnose({ "--output-dir": bench.own, "--model": "nowhere" });
    expect(held.named["run folder"]).toMatchObject({ status: "warning" });
  });

  test("refuses an episode that does not fit the context in the engine's line", async () => {
    const { failed, named } = await diagnose({ "--max-completion-length": 250 });
    expect(failed).toEqual(["engine"]);
    expect(named.engine!.found).toMatch(/its episode must leave room for a retry/);
  });
});

describe("a dry run", () => {
  const plan = async (command: string, flags: Flags = {}) => {
    const { code, out, err } = await run(command, { "--model": bench.model, "--dry-run": true, ...flags });
    expect([code, JSON.parse(out).model]).toEqual([0, bench.model]);
    return err;
  };

  test("of train shows folder, model, stages, disk and memory, and makes none of it", async () => {
    const err = await plan("train", { ...tiny, "--model": bench.model, "--output-dir": bench.output });
    expect(err).toMatch(
      /^run folder: .*run, free for a new run\nmodel: [\d.]+ M parameters, all of which learn\n/,
    );
    expect(err).toMatch(/^ +collect {2}12 problems, 1 attempt each +72$/m);
    // 2 steps × 3 failures × 2 reflections × (6 + 6) tokens
    expect(err).toMatch(/^ +train {2}2 steps of 3 failures × 2 reflections with a retry each +144$/m);
    expect(err).toMatch(/^disk: about \d+ MiB at the most, of [\d.]+ [MG]iB free$/m);
    expect(err).toMatch(/^memory: about \d+ MiB at the most/m);
    for (const part of [
      "weights",
      "gradient",
      "moments",
      "kept keys and values",
      "activations of training",
    ]) {
      expect(err).toContain(`MiB  ${part}`);
    }
    expect(await snapshot(bench.own)).toEqual({});
  });

  test("says that the run folder would be refused, and no longer with --clean", async () => {
    await writeFile(join(bench.own, "metrics.jsonl"), "");
    await writeFile(join(bench.own, "failures.jsonl"), "");
    await writeFile(join(bench.own, "config.json"), "{}");
    const flags = { ...tiny, "--model": bench.model, "--output-dir": bench.own };
    expect(await plan("train", flags)).toMatch(
      /^outputDir: must not hold another run, got ".*"\nhint: .*--resume/,
    );
    expect(await plan("train", { ...flags, "--clean": true })).toMatch(/^run folder: .* would be removed\n/);
  });

  test("of collect plans stage 1 alone", async () => {
    const settings = { "--preset": "mini", "--collect.max-problems": 12, "--collect.tries": 3 };
    const err = await plan("collect", {
      ...settings,
      "--max-attempt-length": 6,
      "--output-dir": bench.output,
    });
    expect(err).toMatch(/^ +collect {2}12 problems, 3 attempts each {2}216$/m);
    expect(err).not.toMatch(/ {2}(train|test) |of training/);
    // the failures are there already: train does not collect
    const given = await plan("train", { ...tiny, "--model": bench.model, "--failures": "any.jsonl" });
    expect(given).not.toMatch(/^ +collect /m);
  });
});
