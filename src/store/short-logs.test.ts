import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RunFolder, runFolderAt } from "./run-folder.ts";
import { shortLogs, wayForward } from "./short-logs.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-short-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

const timings = (...steps: number[]) => steps.map((step) => `{"step":${step},"step_time":1}\n`).join("");
/** Each step has a group that teaches and one that does not. */
const metrics = (...steps: number[]) =>
  steps.map((step) => `{"step":${step},"reward":0,"groups/live":1,"groups/tied":1}\n`).join("");
const traces = (...steps: number[]) =>
  `{"kind":"traces","version":1}\n${steps.map((step) => `{"step":${step},"kind":"attempts"}\n`).join("")}`;

async function write(run: { metrics: string; timings: string; traces: string; saved?: number }) {
  const { saved, ...logs } = run;
  for (const name of ["metrics", "timings", "traces"] as const) await writeFile(folder[name], logs[name]);
  if (saved !== undefined) await writeFile(folder.latest, `checkpoint-${saved}\n`);
}
const found = async () =>
  (await shortLogs(folder)).map(({ path, from, problem }) => [
    path.slice(folder.dir.length + 1),
    from,
    problem.replace(/^must have .* up to (\d+), /, "up to $1: "),
  ]);

test("names the log that was cut at a line's end, and where it begins to lack something", async () => {
  const whole = {
    ...{ metrics: metrics(1, 2, 3), timings: timings(1, 2, 3), traces: traces(1, 1, 2, 2, 3, 3) },
    saved: 2,
  };
  await write(whole);
  expect(await found()).toEqual([]);
  await write({ ...whole, traces: traces(1, 1, 2, 2) });
  expect(await found()).toEqual([["traces.jsonl", 3, "up to 3: got 0 of the 2 of step 3"]]);
  await write({ ...whole, traces: traces(1, 1, 2, 2, 3) });
  expect(await found()).toEqual([["traces.jsonl", 3, "up to 3: got 1 of the 2 of step 3"]]);
  await write({ ...whole, timings: timings(1, 2) });
  expect(await found()).toEqual([["timings.jsonl", 3, "up to 3: got none of step 3"]]);
  await write({ ...whole, metrics: metrics(1), saved: 3 });
  expect(await found()).toEqual([["metrics.jsonl", 2, "up to 3: got none of step 2"]]);
  await write({ ...whole, metrics: metrics(1, 3) });
  expect(await found()).toEqual([["metrics.jsonl", 2, "up to 2: got none of step 2"]]);
});

test("measures all of them by the checkpoint, where all are cut at the same step", async () => {
  await write({ metrics: metrics(1, 2), timings: timings(1, 2), traces: traces(1, 1, 2, 2), saved: 4 });
  expect(await found()).toEqual([
    ["traces.jsonl", 3, "up to 4: got none after step 2"],
    ["timings.jsonl", 3, "up to 4: got none of step 3"],
    ["metrics.jsonl", 3, "up to 4: got none of step 3"],
  ]);
});

test.each([
  [
    "killed while it traced a step",
    { metrics: metrics(1), timings: timings(1), traces: `${traces(1, 1, 2)}{"st` },
  ],
  [
    "killed before it measured one",
    { metrics: metrics(1), timings: timings(1, 2), traces: traces(1, 1, 2, 2) },
  ],
  [
    "a fork, whose first steps another run traced",
    { metrics: metrics(1, 2, 3), timings: timings(1, 2, 3), traces: traces(3, 3), saved: 2 },
  ],
  [
    "a fork that was killed before it traced a step",
    { metrics: metrics(1, 2), timings: timings(1, 2), traces: `${traces()}{"st`, saved: 2 },
  ],
  [
    "one whose traces were removed before it went on",
    { metrics: metrics(1, 2, 3), timings: timings(1, 2, 3), traces: traces(3, 3), saved: 3 },
  ],
  [
    "one whose sampling failed at a step",
    {
      ...{ metrics: `${metrics(1)}{"step":2,"skipped":1}\n${metrics(3)}`, timings: timings(1, 2, 3) },
      traces: traces(1, 1, 3, 3),
    },
  ],
  ["damaged inside a line", { metrics: '{"step":1,"re\u0000\n', timings: timings(1), traces: traces(1) }],
])("finds nothing of a run that was %s", async (_, run) => {
  await write(run);
  expect(await found()).toEqual([]);
});

test("does not judge a log that somebody removed, nor a folder without one", async () => {
  expect(await found()).toEqual([]);
  await writeFile(folder.metrics, metrics(1, 2));
  expect(await found()).toEqual([]);
});

test("reads a step of any number without counting up to it", async () => {
  await write({ metrics: metrics(1, 999_999_999_999), timings: "", traces: traces() });
  expect((await found()).map(([name]) => name)).toEqual(["timings.jsonl"]);
});

test("says how what is missing is written again: by going on, or by going back first", async () => {
  for (const step of [2, 4]) await mkdir(join(folder.dir, `checkpoint-${step}`));
  await writeFile(folder.latest, "checkpoint-4\n");
  expect(await wayForward(folder, 5)).toMatch(/mulligan train --output-dir \S+ --resume$/);
  expect(await wayForward(folder, 4)).toMatch(
    /mulligan train --output-dir \S+ --resume --from checkpoint-2$/,
  );
});
