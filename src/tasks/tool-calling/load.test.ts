import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadToolCallingRows } from "./load.ts";
import { defaultsOf, expectedCalls, formatCall, goldCalls } from "./row.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tool-rows-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

const load = async (name: string, text: string) => loadToolCallingRows(await file(name, text));

const XLAM = {
  id: 0,
  query: "Where can I find live giveaways for beta access and games?",
  tools: JSON.stringify([
    {
      name: "live_giveaways_by_type",
      description: "Retrieve live giveaways.",
      parameters: {
        type: { description: "The type.", type: "str", default: "game" },
        limit: { description: "How many.", type: "int, optional" },
        ids: { description: "Which.", type: "List[int]" },
      },
    },
  ]),
  answers: '[{"name": "live_giveaways_by_type", "arguments": {"type": "beta", "ids": [1, 2.0]}}]',
};

test("xLAM's rows: JSON in text, Python's types, numbers as they are written", async () => {
  const [row, ...more] = await load("xlam.json", JSON.stringify([XLAM]));
  expect(more).toEqual([]);
  expect(row).toEqual({
    id: "0",
    messages: [{ role: "user", content: XLAM.query }],
    tools: [
      {
        type: "function",
        function: {
          name: "live_giveaways_by_type",
          description: "Retrieve live giveaways.",
          parameters: {
            type: "object",
            properties: {
              type: { type: "string", description: "The type.", default: "game" },
              limit: { type: "integer", description: "How many." },
              ids: { type: "array", items: { type: "integer" }, description: "Which." },
            },
            required: ["ids"],
          },
        },
      },
    ],
    answers: XLAM.answers,
    answerFormat: "calls",
  });
  expect(goldCalls(row!).map(formatCall)).toEqual([
    '{"name": "live_giveaways_by_type", "arguments": {"type": "beta", "ids": [1, 2.0]}}',
  ]);
  expect(defaultsOf(row!)).toEqual(new Map([["live_giveaways_by_type", new Map([["type", "game"]])]]));
});

test("JSON Lines do as well as a list, with a byte order mark and an empty line", async () => {
  const text = `\uFEFF${JSON.stringify(XLAM)}\r\n\n${JSON.stringify({ ...XLAM, id: "b" })}\n`;
  expect((await load("xlam.jsonl", text)).map(({ id }) => id)).toEqual(["0", "b"]);
});

const BFCL = {
  id: "simple_python_0",
  question: [[{ role: "user", content: "Find the area." }]],
  function: [
    {
      name: "math.area",
      description: "Area.",
      parameters: {
        type: "dict",
        properties: {
          base: { type: "integer" },
          unit: { type: "string" },
          box: { type: "dict", properties: { w: { type: "float" }, h: { type: "float" } } },
        },
        required: ["base"],
      },
    },
  ],
};
const ACCEPTED = { "math.area": { base: [10, ""], unit: ["", "cm"], box: [{ w: [1.5, 2.5], h: [3, ""] }] } };

test("BFCL's rows: the answers stand beside them, dicts spelled out, what is required is never left out", async () => {
  await file("b/possible_answer/BFCL_v4_x.json", JSON.stringify({ id: BFCL.id, ground_truth: [ACCEPTED] }));
  const [row] = await load("b/BFCL_v4_x.json", JSON.stringify(BFCL));
  expect(row!.tools[0]!.function.parameters).toMatchObject({
    type: "object",
    properties: { box: { type: "object", properties: { w: { type: "number" } } } },
  });
  const [expected] = expectedCalls(row!);
  expect(expected!.accepted.get("base")).toEqual([10n]);
  expect(expected!.accepted.get("unit")).toEqual([expect.any(Symbol), "cm"]);
  expect(expected!.accepted.get("box")).toEqual([
    new Map<string, unknown>([
      ["w", 1.5],
      ["h", 3n],
    ]),
    new Map([["w", 1.5]]),
    new Map<string, unknown>([
      ["w", 2.5],
      ["h", 3n],
    ]),
    new Map([["w", 2.5]]),
  ]);
  expect(goldCalls(row!).map(formatCall)).toEqual([
    '{"name": "math.area", "arguments": {"base": 10, "box": {"w": 1.5, "h": 3}}}',
  ]);
});

test("rows that no tool answers have no call", async () => {
  const [row] = await load("BFCL_v4_irrelevance.json", JSON.stringify({ ...BFCL, id: "irrelevance_0" }));
  expect(row!.answers).toBe("[]");
});

test("OpenAI's rows: the assistant's tool calls are the answer", async () => {
  const tools = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];
  const call = { id: "c", type: "function", function: { name: "f", arguments: '{"a": 1.0}' } };
  const messages = [
    { role: "system", content: "be brief" },
    { role: "user", content: "do f" },
    { role: "assistant", content: null, tool_calls: [call] },
  ];
  const [row, other] = await load(
    "openai.jsonl",
    [
      { messages, tools },
      { id: "x", messages: messages.slice(0, 2), tools, answers: [{ name: "f", arguments: { a: 2 } }] },
    ]
      .map((it) => JSON.stringify(it))
      .join("\n"),
  );
  expect(row).toMatchObject({ id: "row-1", messages: messages.slice(0, 2), tools });
  expect(goldCalls(row!).map(formatCall)).toEqual(['{"name": "f", "arguments": {"a": 1.0}}']);
  expect(goldCalls(other!).map(formatCall)).toEqual(['{"name": "f", "arguments": {"a": 2}}']);
});

describe("a mistake is named with its file and row:", () => {
  test.each<[string, object | string, RegExp]>([
    ["text", "{not json", /line 1: must be one JSON object, got a string expected/],
    ["list", "[1]", /row 1: must be an object/],
    ["empty", "", /holds no rows/],
    ["columns", { prompt: "x", gold: 1 }, /row 1: its columns fit no format, got prompt, gold/],
    ["query", { ...XLAM, query: 3 }, /row 1: query must be text, got 3/],
    [
      "tools",
      { ...XLAM, tools: "[{" },
      /row 1: tools must be a list, or text that holds its JSON, got "\[\{"/,
    ],
    [
      "answers",
      { ...XLAM, answers: '[{"name": "other", "arguments": {}}]' },
      /calls "other", which is none of its tools/,
    ],
    [
      "arguments",
      { ...XLAM, answers: '[{"name": "f", "arguments": 3}]' },
      /arguments must be an object, got 3/,
    ],
    [
      "missing",
      { ...BFCL, id: "irrelevance-not", function: [{ name: "f", parameters: { type: "HashMap" } }] },
      /cannot be read/,
    ],
  ])("%s", async (name, row, message) => {
    const text = typeof row === "string" ? row : JSON.stringify(row);
    const loading = load(`bad-${name}.json`, text);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toMatchObject({ code: "data" });
  });

  test("types of another language, a turn too many, an answer too few", async () => {
    const answers = (id: string) => JSON.stringify({ id, ground_truth: [ACCEPTED] });
    await file("c/possible_answer/rows.json", [answers("java"), answers("turns")].join("\n"));
    const java = [
      { name: "math.area", parameters: { type: "dict", properties: { a: { type: "HashMap" } } } },
    ];
    const turns = { ...BFCL, id: "turns", question: [...BFCL.question, ...BFCL.question] };
    await expect(
      load("c/rows.json", JSON.stringify({ ...BFCL, id: "java", function: java })),
    ).rejects.toThrow(/the type "HashMap" is none of BFCL's for Python/);
    await expect(load("c/rows.json", JSON.stringify(turns))).rejects.toThrow(
      /question must have one turn, got 2/,
    );
    await expect(load("c/rows.json", JSON.stringify(BFCL))).rejects.toThrow(
      /no answer is given for "simple_python_0"/,
    );
  });
});
