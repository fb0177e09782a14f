import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { rewindRun } from "./rewind.ts";
import { type RunFolder, runFolderAt } from "./run-folder.ts";

let folder: RunFolder;
beforeEach(async () => {
  folder = runFolderAt(await mkdtemp(join(tmpdir(), "mulligan-rewind-")));
});
afterEach(() => rm(folder.dir, { recursive: true }));

const lines = (steps: number[]) => steps.map((step) => `{"step":${step},"text":"é\u2028"}\n`).join("");
const text = (path: string) => readFile(path, "utf8");

test("cuts the logs after the newest checkpoint's step", async () => {
  await writeFile(folder.latest, "checkpoint-2\n");
  await writeFile(folder.metrics, lines([1, 2, 3, 4]));
  await writeFile(folder.timings, lines([1, 2, 3, 4]));
  // more than a block of 1 MiB, so that lines lie across blocks
  const many = Array.from({ length: 60_000 }, (_, i) => Math.floor(i / 20_000) + 1);
  const header = '{"kind":"traces","version":1}\n';
  await writeFile(folder.traces, header + lines(many));
  await rewindRun(folder);
  expect(await text(folder.metrics)).toBe(lines([1, 2]));
  expect(await text(folder.timings)).toBe(lines([1, 2]));
  expect(await text(folder.traces)).toBe(header + lines(many.slice(0, 40_000)));
});

test("takes back the warnings and the kept batches of steps that will be taken again", async () => {
  await writeFile(folder.latest, "checkpoint-2\n");
  await writeFile(folder.warnings, lines([1, 2, 3]));
  await mkdir(folder.skipped);
  for (const step of [2, 3, 10]) await writeFile(join(folder.skipped, `step-${step}.json`), "{}");
  await rewindRun(folder);
  expect(await text(folder.warnings)).toBe(lines([1, 2]));
  expect(await readdir(folder.skipped)).toEqual(["step-2.json"]);
});

test("cuts a line that was half written", async () => {
  await writeFile(folder.latest, "checkpoint-2\n");
  await writeFile(folder.metrics, `${lines([1, 2])}{"step":2,"te`);
  await rewindRun(folder);
  expect(await text(folder.metrics)).toBe(lines([1, 2]));
});

test("a log that is nothing but a torn line becomes empty, however long that line is", async () => {
  await writeFile(folder.latest, "checkpoint-2\n");
  await writeFile(folder.metrics, '{"st');
  await writeFile(folder.traces, `{"step":1,"text":"${"x".repeat(2_000_000)}`);
  await rewindRun(folder);
  expect(await text(folder.metrics)).toBe("");
  expect(await text(folder.traces)).toBe("");
});

test("reads the step of lines that begin at the end of a block or are longer than one", async () => {
  await writeFile(folder.latest, "checkpoint-2\n");
  for (const length of [2 ** 20 - 21, 2 ** 20 - 24, 2 ** 20 - 31, 3 * 2 ** 20]) {
    const long = `{"step":1,"text":"${"x".repeat(length)}"}\n`; // 21 bytes more
    await writeFile(folder.traces, `${long}${lines([2, 3])}${long}`);
    await rewindRun(folder);
    expect(await text(folder.traces)).toBe(long + lines([2]));
  }
});

test("keeps the evaluation of the starting model on the test problems, not the trained one's", async () => {
  const line = (step: number, split: string) => `{"step":${step},"split":"${split}"}\n`;
  const curve = [line(0, "test"), line(0, "validation"), line(1, "validation"), line(1, "test")];
  await writeFile(folder.evaluations, curve.join(""));
  await rewindRun(folder);
  expect(await text(folder.evaluations)).toBe(curve[0]);
  await writeFile(folder.latest, "checkpoint-1\n");
  await writeFile(folder.evaluations, curve.join(""));
  await rewindRun(folder);
  expect(await text(folder.evaluations)).toBe(curve.slice(0, 3).join(""));
});

test("cuts a validation that the newest checkpoint does not know of: it will be made again", async () => {
  const line = (step: number) => `{"step":${step},"split":"validation"}\n`;
  await writeFile(folder.latest, "checkpoint-2\n");
  await writeFile(folder.evaluations, line(0) + line(1) + line(2));
  await rewindRun(folder, 1);
  expect(await text(folder.evaluations)).toBe(line(0) + line(1));
});

test("leaves a folder without logs as it is", async () => {
  await expect(rewindRun(folder)).resolves.toBeUndefined();
});
