import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Failure } from "../core/episode.ts";
import { loadFailures, loadRefreshedFailures, saveFailures } from "./failures.ts";
import type { FailuresHeader, RefreshHeader } from "./wire.ts";

const header: FailuresHeader = {
  kind: "failures",
  version: 2,
  model: {
    ...{ name: "mini", chatTemplateKwargs: { enable_thinking: false } },
    ...{ weights: "a".repeat(64), config: "b".repeat(64), tokenizer: "c".repeat(64) },
  },
  task: { name: "countdown", options: { wording: "compact" } },
  problems: "d".repeat(64),
  seed: 7,
  decoding: { temperature: 1, topP: 1, topK: 0, maxAttemptLength: 32 },
  limits: { tries: 4, maxFailuresPerProblem: 0, maxFailures: 100 },
};

const failure = (id: string): Failure => ({
  id,
  problemId: "p",
  conversation: {
    tokens: [1, 2, 3, 4, 5],
    spans: [
      { part: "prompt", start: 0, end: 3 },
      { part: "attempt", start: 3, end: 5 },
    ],
  },
  attempt: { tokens: [4, 5], logprobs: [-0.1, -1.0000000001], text: "1\u2028+ 2", truncated: false },
  verdict: { kind: "failed", feedback: "missed by 3" },
});

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-failures-"));
  path = join(folder, "failures.jsonl");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("what is saved is what is loaded, to the last bit", async () => {
  const set = { header, failures: [failure("p/0"), { ...failure("p/1"), count: 2 }] };
  await saveFailures(path, set);
  expect(await loadFailures(path)).toEqual(set);
});

test("a set that training collected is not taken for stage 1's, nor the other way round", async () => {
  const counts = { attempted: 9, solved: 7, unscored: 0, sampledTokens: 40 };
  const refreshed: RefreshHeader = { kind: "refreshed failures", version: 1, step: 5, ...counts };
  const set = { header: refreshed, failures: [failure("p/0@5")] };
  await saveFailures(path, set);
  expect(await loadRefreshedFailures(path)).toEqual(set);
  await expect(loadFailures(path)).rejects.toMatchObject({
    message: expect.stringContaining("(header): kind"),
  });
  await saveFailures(path, { header, failures: [] });
  await expect(loadRefreshedFailures(path)).rejects.toMatchObject({ code: "data" });
});

test("the file is a header line and one line per failure", async () => {
  await saveFailures(path, { header, failures: [failure("p/0"), failure("p/1")] });
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).kind ?? JSON.parse(line).id)).toEqual([
    "failures",
    "p/0",
    "p/1",
  ]);
});

describe("a broken file names its line", () => {
  type Json = Record<string, unknown>;
  const bad: [string, (line: Json) => void, RegExp][] = [
    ["a missing field", (line) => delete line.problemId, /problemId: Invalid input: expected string/],
    ["an unknown field", (line) => Object.assign(line, { score: 1 }), /Unrecognized key: "score"/],
    ["a token that is no id", (line) => ((line.attempt as Json).tokens = [4, -5]), /attempt.tokens.1: /],
    [
      "a lost log-probability",
      (line) => ((line.attempt as Json).logprobs = [-0.1]),
      /attempt.logprobs: must have one number per token/,
    ],
    [
      "a gap between spans",
      (line) => ((line.conversation as Json).spans = [{ part: "attempt", start: 3, end: 5 }]),
      /conversation.spans: must be contiguous, in order and cover all tokens/,
    ],
    [
      "an attempt that is not in the conversation",
      (line) => ((line.conversation as Json).tokens = [1, 2, 3, 4, 6]),
      /conversation: must end with a span that holds the attempt's tokens/,
    ],
    ["a solved attempt", (line) => (line.verdict = { kind: "solved" }), /verdict.kind: must be "failed"/],
  ];
  test.each(bad)("%s", async (_, spoil, message) => {
    const line = structuredClone(failure("p/1")) as unknown as Json;
    spoil(line);
    const lines = [header, failure("p/0"), line].map((value) => JSON.stringify(value));
    await writeFile(path, lines.join("\n"));
    const error = await loadFailures(path).catch((error) => error);
    expect(error).toMatchObject({ code: "data", hint: expect.stringContaining("mulligan collect") });
    expect(error.message).toMatch(new RegExp(`^${path}, line 3: `));
    expect(error.message).toMatch(message);
  });

  test("a torn last line", async () => {
    await saveFailures(path, { header, failures: [failure("p/0")] });
    await writeFile(path, (await readFile(path, "utf8")).slice(0, -20));
    await expect(loadFailures(path)).rejects.toMatchObject({
      code: "data",
      message: expect.stringContaining("line 2"),
    });
  });

  test("an id that comes twice", async () => {
    await saveFailures(path, { header, failures: [failure("p/0"), failure("p/0")] });
    await expect(loadFailures(path)).rejects.toMatchObject({
      message: `${path}, line 3: id: must be unique, got "p/0" of line 2`,
    });
  });

  test("a file without header, and an empty one", async () => {
    await writeFile(path, JSON.stringify(failure("p/0")));
    await expect(loadFailures(path)).rejects.toMatchObject({
      message: expect.stringContaining("line 1 (header): "),
    });
    await writeFile(path, "");
    await expect(loadFailures(path)).rejects.toMatchObject({
      message: expect.stringContaining("an empty file"),
    });
  });
});
