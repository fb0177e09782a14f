/** Stage 1 is killed at any moment and goes on: no attempt is lost, none is made twice, and the files are the same. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { uniform } from "../core/rng.ts";
import { createRunFolder } from "../store/folder-claim.ts";
import { type RunFolder, runFolderAt } from "../store/run-folder.ts";
import { collectSetup, makeModelFiles } from "./collect-run.test.kit.ts";
import { collectRun } from "./collect-run.ts";

let base: string;
let model: string;
/** Of the collection that nobody stopped: what its files hold, and its whole journal. */
let whole: { failures: string; summary: string };
let journal: string;
let engineCalls: number;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "mulligan-collect-"));
  model = await makeModelFiles(join(base, "model"));
  const folder = await createRunFolder(join(base, "whole"));
  const kept = join(base, "journal");
  const { setup, calls } = collectSetup(model);
  const copies: Promise<void>[] = [];
  await collectRun(setup, { folder, onEvent: (e) => void (e.type === "collecting" && copies.push(keep())) });
  await Promise.all(copies);
  async function keep() {
    await copyFile(folder.journal, kept).catch(() => {});
  }
  whole = await filesOf(folder);
  engineCalls = calls.length;
  journal = await readFile(kept, "utf8");
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function filesOf(folder: RunFolder) {
  return {
    failures: await readFile(folder.failures, "utf8"),
    summary: await readFile(folder.summary, "utf8"),
  };
}

/** A folder as a killed collection may have left it. */
async function leftBehind(name: string, text: string): Promise<RunFolder> {
  const folder = await createRunFolder(join(base, name));
  await writeFile(folder.config, "{}");
  await writeFile(folder.journal, text);
  return folder;
}

test("what is collected is in the folder, and nothing else", async () => {
  expect((await readdir(join(base, "whole"))).sort()).toEqual([
    "collect.json",
    "config.json",
    "environment.json",
    "failures.jsonl",
  ]);
  const lines = whole.failures.trimEnd().split("\n");
  expect(lines).toHaveLength(1 + JSON.parse(whole.summary).failures.distinct);
  expect(engineCalls).toBeGreaterThan(4);
});

test("cut at any byte of its journal, it goes on to the same files without an engine call too many", async () => {
  const lines = journal.trimEnd().split("\n");
  expect(lines).toHaveLength(1 + engineCalls);
  const ends: number[] = [];
  for (const line of lines) ends.push((ends.at(-1) ?? 0) + Buffer.byteLength(line) + 1);
  const header = ends[0]!;
  const random = Array.from(
    { length: 10 },
    (_, i) => header + Math.floor(uniform(1, i) * (journal.length - header)),
  );
  const cuts = [...ends.flatMap((end) => [end, end + 1]), ...random, header + 1];
  for (const [i, cut] of cuts.filter((at) => at >= header && at <= journal.length).entries()) {
    const folder = await leftBehind(`cut-${i}`, journal.slice(0, cut));
    const { setup, calls } = collectSetup(model);
    await collectRun(setup, { folder, resume: true });
    expect(await filesOf(folder), `cut at ${cut}`).toEqual(whole);
    const complete = ends.filter((end) => end <= cut).length - 1;
    expect(calls, `cut at ${cut}`).toHaveLength(engineCalls - complete);
    expect(existsSync(folder.journal)).toBe(false);
  }
});

test("killed while it wrote its last files, it ends with the same ones", async () => {
  const [early, late] = [await leftBehind("early", journal), await leftBehind("late", journal)];
  await writeFile(early.summary, whole.summary);
  await writeFile(late.summary, whole.summary);
  await writeFile(late.failures, whole.failures);
  for (const folder of [early, late]) {
    const { setup, calls } = collectSetup(model);
    await collectRun(setup, { folder, resume: true });
    expect(await filesOf(folder)).toEqual(whole);
    expect([calls.length, existsSync(folder.journal)]).toEqual([0, false]);
  }
});

test("killed by the system at three moments of one collection, it ends with the same files", async () => {
  const output = join(base, "killed");
  const folder = runFolderAt(output);
  const kit = fileURLToPath(new URL("collect-run.test.kit.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", kit, model, output, "40"]);
  const linesOf = async () => (await readFile(folder.journal, "utf8").catch(() => "")).split("\n").length - 1;
  while ((await linesOf()) < 2 && child.exitCode === null) await new Promise((done) => setTimeout(done, 5));
  child.kill("SIGKILL");
  const [code, signal] = await once(child, "exit");
  expect([code, signal]).toEqual([null, "SIGKILL"]);
  expect(existsSync(folder.failures)).toBe(false);
  const made = (await linesOf()) - 1;

  // stopped twice more in this process, then let through
  let calls = 0;
  for (const limit of [1, 1, Number.POSITIVE_INFINITY]) {
    const again = collectSetup(model);
    const controller = new AbortController();
    let batches = 0;
    const onEvent = () => void (++batches >= limit && controller.abort());
    const { signal: abort } = controller;
    await collectRun(again.setup, { folder, resume: true, signal: abort, onEvent }).catch((error) => {
      if (error !== abort.reason) throw error;
    });
    calls += Math.min(limit, again.calls.length);
  }
  expect(await filesOf(folder)).toEqual(whole);
  expect(made + calls).toBe(engineCalls);
});

describe("a collection is not continued", () => {
  test.each([
    ["with other tries", { tries: 13 }, {}, /but collect\.tries: 12 then, 13 now/],
    [
      "with another limit",
      { maxFailuresPerProblem: 2 },
      {},
      /but collect\.maxFailuresPerProblem: 3 then, 2 now/,
    ],
    [
      "with other weights",
      {},
      { "model.safetensors": "other" },
      /the model's weights: [0-9a-f]{12} then, [0-9a-f]{12} now/,
    ],
    ["with another tokenizer", {}, { "tokenizer.json": "{ }" }, /the model's tokenizer: [0-9a-f]{12} then/],
  ])("%s", async (name, collect, files, message) => {
    const other = await makeModelFiles(join(base, `model ${name}`), files);
    const folder = await leftBehind(name, journal);
    const { setup, calls } = collectSetup(other, collect);
    const error = await collectRun(setup, { folder, resume: true }).catch((error) => error);
    expect(error).toMatchObject({ code: "config", hint: expect.stringContaining("--output-dir") });
    expect(error.message).toMatch(message);
    expect([calls.length, await readFile(folder.journal, "utf8")]).toEqual([0, journal]);
  });

  test("with an adapter, or with other variables for the chat template", async () => {
    const adapter = await makeModelFiles(join(base, "adapter"), { "adapter_config.json": "{}" });
    const folder = await leftBehind("adapter-added", journal);
    const { setup } = collectSetup(model);
    const messageWith = async (change: object) => {
      const changed = { ...setup, config: { ...setup.config, ...change } };
      return collectRun(changed, { folder, resume: true }).catch((error) => error.message);
    };
    expect(await messageWith({ adapter })).toMatch(/but the adapter: "none" then, [0-9a-f]{12} now$/);
    expect(await messageWith({ chatTemplateKwargs: { enable_thinking: false } })).toMatch(
      /but chatTemplateKwargs: \{\} then, \{"enable_thinking":false\} now$/,
    );
  });

  test("when the problems have changed", async () => {
    const folder = await leftBehind("problems", journal);
    const { setup } = collectSetup(model);
    const [first, ...others] = setup.problems.train;
    const train = [{ ...first!, row: { question: "q0 again" } }, ...others];
    const changed = { ...setup, problems: { ...setup.problems, train } };
    await expect(collectRun(changed, { folder, resume: true })).rejects.toMatchObject({
      message: expect.stringContaining("but the problems: "),
    });
  });

  test("when a whole line of its journal is damaged", async () => {
    const folder = await leftBehind("damaged", journal.replace('"generation":1', '"generation":-1'));
    const { setup } = collectSetup(model);
    await expect(collectRun(setup, { folder, resume: true })).rejects.toMatchObject({
      code: "data",
      message: expect.stringMatching(/collecting\.jsonl, line 2: \d+\.generation: /),
      hint: expect.stringContaining("--clean"),
    });
  });
});

test("a collection without a failure leaves no run behind", async () => {
  const folder = await createRunFolder(join(base, "solved"));
  const { setup } = collectSetup(model);
  const task = { ...setup.task, verify: () => true };
  await expect(collectRun({ ...setup, task }, { folder })).rejects.toMatchObject({ code: "data" });
  expect(await readdir(folder.dir)).toEqual([]);
});

test("an engine that can is asked to forget before each call, when calls are to be isolated", async () => {
  const folder = await createRunFolder(join(base, "isolated"));
  const { setup, calls } = collectSetup(model);
  const seen: number[] = [];
  const forget = async () => void seen.push(calls.length);
  const policy = { ...setup.policy, engine: { ...setup.policy.engine, forget } };
  await collectRun({ ...setup, policy }, { folder });
  expect(seen).toEqual(Array.from({ length: engineCalls }, (_, i) => i));
  expect(await filesOf(folder)).toEqual(whole);
});
