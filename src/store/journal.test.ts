import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outcome } from "../core/episode.ts";
import { appendOutcomes, openJournal, startJournal } from "./journal.ts";
import type { FailuresHeader } from "./wire.ts";

const hash = "0".repeat(64);
const header: FailuresHeader = {
  kind: "failures",
  version: 2,
  model: { name: "m", weights: hash, config: hash, tokenizer: hash, chatTemplateKwargs: {} },
  task: { name: "t", options: {} },
  problems: hash,
  seed: 0,
  decoding: { temperature: 1, topP: 1, topK: 0, maxAttemptLength: 8 },
  limits: { tries: 2, maxFailuresPerProblem: 0, maxFailures: 9 },
};
const outcome = (generation: number): Outcome => ({
  problemId: "ü",
  generation,
  verdict: { kind: "unscored", cause: "timed out" },
  length: 3,
  truncated: false,
});

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-journal-"));
  path = join(folder, "collecting.jsonl");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("what is appended is read back in order", async () => {
  await startJournal(path, header);
  await appendOutcomes(path, [outcome(0), outcome(1)]);
  await appendOutcomes(path, [outcome(2)]);
  expect(await openJournal(path)).toEqual({ header, outcomes: [0, 1, 2].map(outcome) });
});

test("where there is none, nothing was begun", async () => {
  expect(await openJournal(path)).toBeUndefined();
  await writeFile(path, '{"kind":"fail');
  expect(await openJournal(path)).toBeUndefined();
});

test("a torn last line is removed, so that what is appended next is a whole line", async () => {
  await startJournal(path, header);
  await appendOutcomes(path, [outcome(0)]);
  const size = (await readFile(path)).length;
  const long = Array.from({ length: 2000 }, (_, i) => outcome(i)); // longer than the block that is searched
  await appendOutcomes(path, long);
  const end = (await readFile(path)).length;
  for (const torn of [end - 1, end - 70_000, size + 1]) {
    await truncate(path, size);
    await appendOutcomes(path, long);
    await truncate(path, torn);
    expect((await openJournal(path))?.outcomes).toEqual([outcome(0)]);
    expect((await readFile(path)).length).toBe(size);
  }
  await appendOutcomes(path, [outcome(1)]);
  expect((await openJournal(path))?.outcomes).toEqual([outcome(0), outcome(1)]);
});
