/** A user stops a run, or its machine does, and goes on later: what comes out is the run that was never stopped. */
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { whileLocked } from "../../src/store/run-lock.ts";
import {
  type Flags,
  makeFolder,
  makeParityTask,
  makeTinyModel,
  readLines,
  run,
  runArgv,
  snapshot,
  tiny,
} from "../e2e/tiny.test.kit.ts";

const steps = 4;
let folder: string;
let remove: () => Promise<void>;
let flags: Flags;
let whole: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  flags = {
    // the only schedule under which a run that is made longer equals one that was longer from the start
    "--lr-scheduler-type": "constant",
    ...{ ...tiny, "--task-options": "{}", "--task": await makeParityTask(folder) },
    ...{ "--model": await makeTinyModel(join(folder, "model")), "--max-steps": steps },
  };
  whole = join(folder, "whole");
  expect((await run("train", { ...flags, "--output-dir": whole })).code).toBe(0);
});
afterAll(() => remove());

const weightsOf = (output: string) => readFile(join(output, "model", "model.safetensors"), "base64");
const resume = (output: string, more: Flags = {}) =>
  run("train", { "--output-dir": output, "--resume": true, ...more });

/** Which steps the logs tell of, in order. */
async function stepsOf(output: string) {
  const evaluations = await readLines(join(output, "evaluations.jsonl"));
  return {
    metrics: (await readLines(join(output, "metrics.jsonl"))).map(({ step }) => step),
    traces: await readFile(join(output, "traces.jsonl"), "utf8"),
    evaluations: evaluations.map(({ step, split }) => `${split} ${step}`),
  };
}

test("stopped after a step, it says how to continue, and --resume gives the same weights to the last bit", async () => {
  const output = join(folder, "stopped");
  const stopped = await run("train", { ...flags, "--output-dir": output }, { stopAt: /^train {2}1\//m });
  expect(stopped.code).toBe(130);
  expect(stopped.err).toMatch(
    new RegExp(`stopped; continue with: mulligan train --output-dir ${output} --resume\n$`),
  );
  expect(stopped.out).toBe("");
  expect(await readdir(output)).toContain("checkpoint-1");
  expect(await readdir(output)).not.toContain("model");
  expect(await readFile(join(output, "report.html"), "utf8")).toContain("not finished: 1 of 4 steps");

  const resumed = await resume(output);
  expect([resumed.code, resumed.err.includes("collect")]).toEqual([0, false]);
  expect(await weightsOf(output)).toBe(await weightsOf(whole));
  expect((await stepsOf(output)).metrics).toEqual([1, 2, 3, 4]);
  expect(await readFile(join(output, "results.json"), "utf8")).toBe(
    await readFile(join(whole, "results.json"), "utf8"),
  );
});

test("killed after a checkpoint, it does not tell of a step twice", async () => {
  const output = join(folder, "killed");
  await run("train", { ...flags, "--output-dir": output, "--save-steps": 1 });
  const before = await stepsOf(output);
  await writeFile(join(output, "latest"), "checkpoint-2\n");
  expect((await resume(output)).code).toBe(0);
  expect(await stepsOf(output)).toEqual(before);
  expect(await weightsOf(output)).toBe(await weightsOf(whole));
});

test("killed before its first checkpoint, it starts training anew from the failures it has", async () => {
  const output = join(folder, "killed-early");
  await run("train", { ...flags, "--output-dir": output }, { stopAt: /step 0, validation/ });
  expect(await readdir(output)).not.toContain("latest");
  expect((await resume(output)).code).toBe(0);
  expect(await stepsOf(output)).toEqual(await stepsOf(whole));
  expect(await weightsOf(output)).toBe(await weightsOf(whole));
});

test("stopped while it collects, it goes on collecting", async () => {
  const output = join(folder, "stopped-early");
  // 360 attempts are two engine calls
  const slow = { ...flags, "--output-dir": output, "--collect.tries": 30 };
  const stopped = await run("train", slow, { stopAt: /^collect {2}256\/360/m });
  expect(stopped.code).toBe(130);
  expect(stopped.err.split("\n").at(-2)).toMatch(/^stopped; continue with: mulligan train .* --resume$/);
  expect((await readdir(output)).sort()).toEqual(["collecting.jsonl", "config.json", "environment.json"]);
  const resumed = await resume(output);
  expect([resumed.code, resumed.err.match(/^collected \d+ failures in 360 attempts$/m)?.length]).toEqual([
    0, 1,
  ]);
  expect(await readdir(output)).toContain("results.json");
});

test("with failures of the model as it is at every step, it meets the same ones again", async () => {
  const [never, killed] = [join(folder, "online"), join(folder, "online-killed")];
  const online = { ...flags, "--collect.refresh-steps": 1, "--save-steps": 1 };
  for (const output of [never, killed]) {
    expect((await run("train", { ...online, "--output-dir": output })).code).toBe(0);
  }
  await writeFile(join(killed, "latest"), "checkpoint-2\n");
  await writeFile(join(killed, "refreshed", "failures-3.jsonl"), "torn");
  expect((await resume(killed)).code).toBe(0);
  expect(await weightsOf(killed)).toBe(await weightsOf(never));
  for (const step of [2, 3, 4]) {
    const name = join("refreshed", `failures-${step}.jsonl`);
    expect(await readFile(join(killed, name), "utf8")).toBe(await readFile(join(never, name), "utf8"));
  }
  const used = (await readLines(join(never, "traces.jsonl"))).slice(1);
  expect(used).toHaveLength(3 * steps);
  for (const { step, failureId } of used.slice(3)) expect(failureId).toMatch(new RegExp(`@${step}$`));
});

test("made longer, it goes on from its end, and says when it is computed otherwise than before", async () => {
  const output = join(folder, "longer");
  await run("train", { ...flags, "--output-dir": output, "--max-steps": 2 });
  const path = join(output, "environment.json");
  await writeFile(path, (await readFile(path, "utf8")).replace(process.version, "v18.0.0"));
  const { code, err } = await resume(output, { "--max-steps": steps });
  expect(code).toBe(0);
  expect(err).toContain(`warning: Node: v18.0.0 until now, ${process.version} from here on;`);
  const { starts } = JSON.parse(await readFile(path, "utf8"));
  expect(starts.map(({ step, node }: { step: number; node: string }) => [step, node])).toEqual([
    [0, "v18.0.0"],
    [2, process.version],
  ]);
  expect(await weightsOf(output)).toBe(await weightsOf(whole));
  expect(await stepsOf(output)).toEqual(await stepsOf(whole));
});

test("with other settings it is refused, and nothing in its folder changes", async () => {
  const before = await snapshot(whole);
  const other = await makeTinyModel(join(folder, "other-model"));
  for (const [change, message] of [
    [
      { "--model": other },
      /^error: model: must be as when the run began, ".*model", got ".*other-model"\nhint: /,
    ],
    [
      { "--eval.test-problems": 3 },
      /^error: eval.testProblems: must be as when the run began, 6, got 3\nhint: /,
    ],
  ] as const) {
    const { code, err } = await resume(whole, change);
    expect(err).toMatch(message);
    expect(code).toBe(1);
  }
  expect(await snapshot(whole)).toEqual(before);
});

test("a damaged checkpoint or line is named, and going on from the checkpoint that is offered writes it anew", async () => {
  const output = join(folder, "damaged");
  const saving = { ...flags, "--output-dir": output, "--save-steps": 1, "--save-total-limit": 3 };
  expect((await run("train", saving)).code).toBe(0);
  const before = await stepsOf(output);
  const [weights, traces] = [
    join(output, "checkpoint-4", "optimizer.safetensors"),
    join(output, "traces.jsonl"),
  ];
  for (const path of [traces, weights]) {
    const bytes = await readFile(path);
    bytes[bytes.length - 2]! ^= 0x80;
    await writeFile(path, bytes);
    const { code, err } = await resume(output);
    expect([code, err]).toEqual([1, expect.stringContaining(`error: ${path}`)]);
    expect(err).toContain(`: mulligan train --output-dir ${output} --resume --from checkpoint-3\n`);
  }
  expect((await resume(output, { "--from": "checkpoint-3" })).code).toBe(0);
  expect(await stepsOf(output)).toEqual(before);
  expect(await weightsOf(output)).toBe(await weightsOf(whole));
  const kept = (await readdir(output)).filter((name) => name.startsWith("checkpoint-"));
  const best = (await readFile(join(output, "best"), "utf8")).trim();
  expect(kept).toHaveLength(3);
  expect(kept).toEqual(expect.arrayContaining([best, "checkpoint-3", "checkpoint-4"]));
  const evaluated = await Promise.all(
    [best, "best"].map((name) => runArgv(["eval", "--checkpoint", join(output, name)])),
  );
  expect(evaluated.map(({ code }) => code)).toEqual([0, 0]);
  expect(evaluated[0]!.out).toBe(evaluated[1]!.out);
  await writeFile(join(output, best, "config.json"), "{}");
  const refused = await runArgv(["eval", "--checkpoint", join(output, "best")]);
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringMatching(/^error: .*config\.json: must be \d+ bytes/),
  ]);
  const alone = await run("train", { ...flags, "--output-dir": output, "--from": "checkpoint-3" });
  expect(alone.err).toMatch(/^error: from: goes with --resume, got "checkpoint-3" without it\nhint: /);
});

test("while another process works on it, every command that would write into it is refused", async () => {
  const before = await snapshot(whole);
  await whileLocked(whole, async () => {
    const refused = [await resume(whole), await run("collect", { "--output-dir": whole, "--resume": true })];
    refused.push(await runArgv(["swap", whole]), await runArgv(["transfer", whole]));
    for (const { code, err } of refused) {
      expect(err).toMatch(/^error: .*run\.lock: one process at a time .* got process \d+ on .*\nhint: /m);
      expect(code).toBe(1);
    }
  });
  expect(await snapshot(whole)).toEqual(before);
});

test("where there is no run, it says so", async () => {
  const output = join(folder, "nothing");
  const { code, err } = await run("train", { ...flags, "--output-dir": output, "--resume": true });
  expect(err).toMatch(/^error: resume: .*nothing must hold a run, got no config.json\nhint: name the folder/);
  expect(code).toBe(1);
});

test("killed before it had copied the failures that it was given, it asks for them again", async () => {
  const output = join(folder, "given");
  await mkdir(output);
  await copyFile(join(whole, "config.json"), join(output, "config.json"));
  const { code, err } = await resume(output);
  expect(err).toMatch(
    /^error: resume: .*given must hold failures, got none\nhint: it was begun with --failures and killed /m,
  );
  expect(code).toBe(1);
});
