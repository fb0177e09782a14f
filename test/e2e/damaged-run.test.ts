/** Somebody comes back to a run that is finished, or of whose folder something was cut or broken. */
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
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
} from "./tiny.test.kit.ts";

const steps = 3;
let folder: string;
let remove: () => Promise<void>;
let whole: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder());
  const model = await makeTinyModel(join(folder, "model"));
  const task = { "--task": await makeParityTask(folder), "--task-options": "{}" };
  whole = join(folder, "whole");
  const flags = { ...tiny, ...task, "--model": model, "--output-dir": whole };
  expect((await run("train", { ...flags, "--max-steps": steps })).code).toBe(0);
}, 120_000);
afterAll(() => remove());

const resume = (output: string, more: Flags = {}) =>
  run("train", { "--output-dir": output, "--resume": true, ...more });
async function copyOf(name: string): Promise<string> {
  const dir = join(folder, name);
  await cp(whole, dir, { recursive: true });
  return dir;
}

test("a finished run that is resumed says where everything lies, and nothing changes", async () => {
  const before = await snapshot(whole);
  expect(await resume(whole)).toEqual({
    code: 0,
    out: [
      "The run is finished: 3 of 3 steps are done, and nothing was changed.",
      `Results: ${join(whole, "report.md")}`,
      `To look at, in a browser: ${join(whole, "report.html")}`,
      `The trained model, for transformers and others: ${join(whole, "model")}`,
      "",
    ].join("\n"),
    err: "",
  });
  expect(await snapshot(whole)).toEqual(before);
});

test("without its report it says how to make it; without its results it makes them again", async () => {
  const dir = await copyOf("lacking");
  await rm(join(dir, "report.html"));
  const { out } = await resume(dir);
  expect(out).toContain(`To look at: it has no report.html, mulligan report ${dir} makes it\n`);
  const results = await readFile(join(dir, "results.json"), "utf8");
  await writeFile(join(dir, "results.json"), results.slice(0, -9));
  expect((await resume(dir)).out).toContain("The paper's four columns");
  expect(await readFile(join(dir, "results.json"), "utf8")).toBe(results);
});

test("with another setting for its end it is computed again, and stopped meanwhile it is not finished", async () => {
  const dir = await copyOf("changed");
  const changed = { "--output-dir": dir, "--resume": true, "--eval.bootstrap": 200 };
  const stopped = await run("train", changed, { stopAt: /first tries/ });
  expect([stopped.code, stopped.err]).toEqual([130, expect.stringContaining("stopped; continue with")]);
  const { out } = await resume(dir);
  expect(out).toContain("The paper's four columns");
  expect(await readLines(join(dir, "evaluations.jsonl"))).toEqual(
    await readLines(join(whole, "evaluations.jsonl")),
  );
  expect((await resume(dir)).out).toContain("The run is finished");
});

test("a damaged config.json is told as a run's, and can be taken out of a checkpoint", async () => {
  const dir = await copyOf("settings");
  const path = join(dir, "config.json");
  const [settings, state] = [await readFile(path, "utf8"), join(dir, "checkpoint-3", "trainer_state.json")];
  await writeFile(path, settings.slice(0, 99));
  const told = [
    await resume(dir),
    await runArgv(["report", dir]),
    await runArgv(["eval", "--checkpoint", dir]),
    await run("train", { "--fork": dir, "--output-dir": join(folder, "fork") }),
  ];
  for (const { code, out, err } of told) {
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^error: .*config\.json: must be the settings of the run in settings, got [^\n]*\n/);
    expect(err.split("\n")[1]).toBe(
      `hint: take it from a copy of the run, or out of ${state}, where it stands as "config"; another run can go on from there: mulligan train --fork ${join(dir, "checkpoint-3")} --config FILE --output-dir NEW`,
    );
  }
  const { code, out, err } = await runArgv(["inspect", dir, "--limit", "1"]);
  expect([code, out.slice(0, 6), err]).toEqual([
    0,
    "step 1",
    expect.stringContaining("warning: config.json: must be the settings of the run in settings"),
  ]);
  const { config } = JSON.parse(await readFile(state, "utf8"));
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`);
  expect((await resume(dir)).out).toContain("The run is finished");
});

test("inspect and report warn of traces that were cut at a line's end, with what to do", async () => {
  const dir = await copyOf("cut run");
  await mkdir(join(dir, "checkpoint-1"));
  const lines = (await readFile(join(dir, "traces.jsonl"), "utf8")).split("\n");
  await writeFile(join(dir, "traces.jsonl"), `${lines.slice(0, -3).join("\n")}\n`);
  const told = [
    await runArgv(["inspect", dir, "--step", "3", "--limit", "9"]),
    await runArgv(["report", dir]),
  ];
  for (const { code, err } of told) {
    expect(err).toMatch(
      /^warning: traces\.jsonl: must have every group of the steps up to 3, got 1 of the 3 of step 3; .*mulligan train --output-dir '.*cut run' .*\n$/,
    );
    expect(code).toBe(0);
  }
  expect(told[0]!.out.match(/^step 3, /gm)).toHaveLength(2);
  const page = await readFile(join(dir, "report.html"), "utf8");
  expect(page).toContain("Damaged: traces.jsonl: must have every group of the steps up to 3");
  const resumed = await run("train", { "--output-dir": dir, "--resume": true });
  expect([resumed.code, resumed.err]).toEqual([
    1,
    expect.stringContaining("got 1 of the 3 of step 3\nhint: "),
  ]);
});
