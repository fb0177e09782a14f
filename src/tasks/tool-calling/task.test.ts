import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Split } from "../../core/task.ts";
import { checkTask } from "../check-task.ts";
import type { ToolCallingRow } from "./row.ts";
import { toolCalling, verifyToolCalls } from "./task.ts";

const row: ToolCallingRow = {
  id: "1",
  messages: [{ role: "user", content: "Weather in Lima for 2 days, and in Oslo?" }],
  tools: [
    {
      type: "function",
      function: {
        name: "weather",
        description: "Forecast.",
        parameters: {
          type: "object",
          properties: { city: { type: "string" }, days: { type: "integer", default: 1 } },
          required: ["city"],
        },
      },
    },
  ],
  answers:
    '[{"name": "weather", "arguments": {"city": "Lima", "days": 2}}, {"name": "weather", "arguments": {"city": "Oslo"}}]',
  answerFormat: "calls",
};
const LIMA = '{"name": "weather", "arguments": {"city": "Lima", "days": 2}}';
const OSLO = '{"name": "weather", "arguments": {"city": "Oslo"}}';

describe("verdicts", () => {
  test.each<[string, string, string | undefined, boolean | undefined]>([
    ["the answer", `${LIMA}\n${OSLO}`, undefined, undefined],
    ["another order", `${OSLO}\n${LIMA}`, "missing_argument", true],
    ["a number as text", `${LIMA.replace("2", '"2"')}\n${OSLO}`, "wrong_value", true],
    ["a default written", `${LIMA}\n${OSLO.replace('"Oslo"', '"Oslo", "days": 1')}`, "extra_argument", true],
    ["another city", `${LIMA}\n${OSLO.replace("Oslo", "Rome")}`, "wrong_value", false],
    ["one call too few", LIMA, "wrong_count", false],
    ["prose", "It will be sunny.", "no_call", false],
    ["broken JSON", `${LIMA}\n${OSLO.slice(0, -1)}`, "invalid_json", false],
  ])("%s", (_, text, errorClass, solvedLeniently) => {
    const verdict = verifyToolCalls(text, row);
    if (errorClass === undefined) expect(verdict).toEqual({ kind: "solved" });
    else expect(verdict).toMatchObject({ kind: "failed", errorClass, solvedLeniently });
    expect(verifyToolCalls(text, row, "lenient").kind).toBe(solvedLeniently === false ? "failed" : "solved");
  });

  test("follow the rules that are chosen one by one", () => {
    const task = toolCalling({ matching: { order: "any" } });
    expect(task.verify(`${OSLO}\n${LIMA}`, row)).toEqual({ kind: "solved" });
    expect(task.verify(`${OSLO}\n${LIMA.replace("2", '"2"')}`, row)).toMatchObject({
      errorClass: "wrong_value",
    });
  });

  test("of BFCL's rows are BFCL's, unless strict ones are asked for", () => {
    const bfcl: ToolCallingRow = {
      ...row,
      answers: '[{"weather": {"city": ["Lima", "Lima, Peru"], "days": [2, ""]}}]',
      answerFormat: "bfcl",
    };
    const answer = '{"name": "weather", "arguments": {"city": "LIMA PERU"}}';
    expect(toolCalling().verify(answer, bfcl)).toEqual({ kind: "solved" });
    expect(toolCalling({ matching: "strict" }).verify(answer, bfcl)).toMatchObject({
      kind: "failed",
      errorClass: "missing_argument",
      solvedLeniently: true,
    });
  });

  test("where no tool fits, only an answer without a call is right", () => {
    const none = { ...row, answers: "[]" };
    expect(verifyToolCalls("None of my tools can do that.", none)).toEqual({ kind: "solved" });
    expect(verifyToolCalls(LIMA, none)).toMatchObject({ errorClass: "wrong_count" });
  });
});

describe("prompts", () => {
  test("leave the tools to the chat template", () => {
    const task = toolCalling();
    expect(task.prompt(row)).toEqual(row.messages);
    expect(task.tools?.(row)).toEqual(row.tools);
    expect(task.reflectionPrompt(row)).toMatch(/failed in generating the correct tool call. Reflect on/);
    expect(task.retryPrompt(row)).toBe(row.messages[0]!.content);
    expect(task.plainRetryPrompt(row)).toMatch(/Try again\.\n\nWeather in Lima/);
  });

  test("or write them, and ask the question alone on the retry", () => {
    const hermes = toolCalling({ tools: "hermes" });
    expect(hermes.tools).toBeUndefined();
    const [system, user] = hermes.prompt(row);
    expect(system!.content).toContain(`<tools>\n${JSON.stringify(row.tools[0])}\n</tools>`);
    expect(user).toEqual(row.messages[0]);
    const instructed = {
      ...row,
      messages: [{ role: "system" as const, content: "be brief" }, ...row.messages],
    };
    expect(hermes.prompt(instructed)[0]!.content).toMatch(/^be brief\n\n# Tools/);

    const json = toolCalling({ tools: "json" });
    expect(json.tools).toBeUndefined();
    const [only, ...more] = json.prompt(row);
    expect(more).toEqual([]);
    expect(only!.content).toMatch(
      /^Given the following functions[\s\S]*"weather"[\s\S]*Weather in Lima for 2 days, and in Oslo\?$/,
    );
    expect(json.retryPrompt(row)).toBe(row.messages[0]!.content);
  });
});

test.each(["template", "hermes", "json"] as const)("its own check is sound, tools by %s", async (tools) => {
  const task = toolCalling({ tools, train: 20, validation: 20, test: 20 });
  const check = await checkTask(task, { rows: 60 });
  expect(check.probes.map(({ name, surprises }) => [name, surprises])).toEqual(
    check.probes.map(({ name }) => [name, []]),
  );
  expect(check.probes[0]).toMatchObject({ name: "gold answer", solved: 60 });
});

test("a reflection leaks when it writes all calls out", () => {
  const task = toolCalling();
  expect(task.leaks?.(`I should have written ${OSLO} and ${LIMA}.`, row)).toBe(true);
  expect(task.leaks?.(`I forgot the second city. ${LIMA}`, row)).toBe(false);
  expect(task.leaks?.("I forgot the second city.", row)).toBe(false);
});

describe("rows", () => {
  test("are generated, no query in two splits, the same every time", async () => {
    const options = { train: 60, validation: 20, test: 20 };
    const queries = async (split: Split) =>
      (await toolCalling(options).problems(split)).map(({ row: it }) => it.messages[0]!.content);
    const all = [await queries("train"), await queries("validation"), await queries("test")];
    expect(all.map(({ length }) => length)).toEqual([60, 20, 20]);
    expect(new Set(all.flat()).size).toBe(100);
    expect(await queries("test")).toEqual(all[2]);
  });

  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tool-task-"));
    const tools = JSON.stringify([
      { name: "f", description: "", parameters: { a: { type: "int", description: "" } } },
    ]);
    const answers = '[{"name": "f", "arguments": {"a": 1}}]';
    const lines = Array.from({ length: 60 }, (_, id) =>
      JSON.stringify({ id, query: `q${id}`, tools, answers }),
    );
    await writeFile(join(folder, "rows.jsonl"), lines.join("\n"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("come from one file, split by their ids", async () => {
    const task = toolCalling({ source: join(folder, "rows.jsonl"), format: "xlam" });
    const ids = async (split: Split) => (await task.problems(split)).map(({ id }) => id);
    const all = [await ids("train"), await ids("validation"), await ids("test")];
    expect(new Set(all.flat()).size).toBe(60);
    expect(all[0]!.length).toBeGreaterThan(30);
  });

  test("or from one for each split, whose ids may be the same", async () => {
    const path = join(folder, "rows.jsonl");
    const task = toolCalling({ source: { train: path, test: path } });
    expect((await task.problems("train"))[0]!.id).toBe("train/0");
    expect((await task.problems("test"))[59]!.id).toBe("test/59");
    await expect(task.problems("validation")).rejects.toMatchObject({
      code: "data",
      message: "task tool-calling: source has no file for the validation split",
    });
  });

  test("of a wrong option are refused", () => {
    expect(() => toolCalling({ matching: "loose" } as never)).toThrow(
      /task tool-calling: matching: .*got "loose"/,
    );
    expect(() => toolCalling({ sorce: "x" } as never)).toThrow(/unknown option "sorce"/);
  });
});
