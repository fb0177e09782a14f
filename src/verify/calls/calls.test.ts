import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCalls } from "./calls.ts";
import { formatLiteral } from "./literal.ts";

/** "f {...}" per call, or what went wrong. */
function read(text: string): string[] | string {
  const parsed = parseCalls(text);
  if (parsed.kind === "none") return "none";
  if (parsed.kind === "invalid") return `invalid: ${parsed.reason}`;
  return parsed.calls.map((call) => `${call.name} ${formatLiteral(call.arguments)}`);
}

const WEATHER = '{"name": "weather", "arguments": {"city": "Lima", "days": 2}}';
const TIME = '{"name": "time", "arguments": {"zone": "UTC"}}';
const weather = 'weather {"city": "Lima", "days": 2}';
const time = 'time {"zone": "UTC"}';

describe("reads the calls of", () => {
  test.each<[string, string, string[]]>([
    ["Hermes and Qwen", `<tool_call>\n${WEATHER}\n</tool_call>`, [weather]],
    [
      "Hermes with prose and two calls",
      `I will look.\n<tool_call>\n${WEATHER}\n</tool_call>\n<tool_call>${TIME}</tool_call>`,
      [weather, time],
    ],
    ["Hermes whose last block is not closed", `<tool_call>${WEATHER}`, [weather]],
    ["Hermes with a list in a block", `<tool_call>[${WEATHER}, ${TIME}]</tool_call>`, [weather, time]],
    ["Qwen3, after its thought", `<think>${TIME}</think>\n\n<tool_call>${WEATHER}</tool_call>`, [weather]],
    ["Llama 3", '{"name": "weather", "parameters": {"city": "Lima", "days": 2}}', [weather]],
    ["Llama 3 with a tag", `<|python_tag|>${WEATHER}; ${TIME}`, [weather, time]],
    ["Llama 3 with a type", `{"type": "function", ${WEATHER.slice(1)}`, [weather]],
    ["OpenAI", `{"type": "function", "function": ${WEATHER}}`, [weather]],
    [
      "OpenAI with text as arguments",
      '{"function": {"name": "weather", "arguments": "{\\"city\\": \\"Lima\\", \\"days\\": 2}"}}',
      [weather],
    ],
    ["a list", `[${WEATHER}, ${TIME}]`, [weather, time]],
    ["lines of objects", `${WEATHER}\n${TIME}`, [weather, time]],
    ["Mistral", `[TOOL_CALLS] [${WEATHER}]`, [weather]],
    ["a fence", `Here:\n\`\`\`json\n${WEATHER}\n\`\`\`\nDone (see {it}).`, [weather]],
    ["a fence without a language", `\`\`\`\n[${WEATHER}]\n\`\`\``, [weather]],
    ["BFCL", "[weather(city=\"Lima\", days=2), time(zone='UTC')]", [weather, time]],
    [
      "Python",
      'spotify.play(artist="X", ids=(1, 2.0), on=True)',
      ['spotify.play {"artist": "X", "ids": [1, 2.0], "on": true}'],
    ],
    ["no arguments at all", '{"name": "now"}', ["now {}"]],
    ["no arguments in Python", "[now()]", ["now {}"]],
    ["prose around an object", `Sure! ${WEATHER} is what I call.`, [weather]],
    ["dangerous keys", '{"name": "f", "arguments": {"__proto__": {"a": 1}}}', ['f {"__proto__": {"a": 1}}']],
  ])("%s", (_, text, calls) => {
    expect(read(text)).toEqual(calls);
  });

  test("every call counts, so that guessing twice is two calls", () => {
    expect(read(`${WEATHER} or rather ${TIME}`)).toEqual([weather, time]);
    expect(read(`<tool_call>${WEATHER}</tool_call><tool_call>${WEATHER}</tool_call>`)).toHaveLength(2);
  });
});

describe("finds no call in", () => {
  test.each([
    "",
    "I cannot help with that.",
    "Note (important): f is a set {x}.",
    '{"city": "Lima"}',
    "[1, 2, 3]",
    "```python\nprint(1)\n```",
    `<think>${WEATHER}`,
    "[]",
  ])("%s", (text) => {
    expect(read(text)).toBe("none");
  });
});

describe("finds broken calls in", () => {
  test.each([
    ["<tool_call>weather</tool_call>", /a value expected at character 1/],
    ["<tool_call></tool_call>", /a value expected/],
    [`<tool_call>${WEATHER} and more</tool_call>`, /text after the JSON/],
    [`<tool_call>${WEATHER.slice(0, -2)}</tool_call>`, /"," or "}" expected/],
    ['{"name": "weather", "arguments": {"city": "Li', /a string without end/],
    ['{"name": "f", "arguments": {"a": 1, "a": 2}}', /the key "a" stands twice/],
    ['{"name": "f", "arguments": {}, "parameters": {}}', /not both/],
    ['{"name": "f", "arguments": [1]}', /"arguments" must be an object/],
    ['{"name": 3, "arguments": {}}', /a call needs a name/],
    [`[${WEATHER}, 3]`, /a call must be an object/],
    ["f(a=1, a=2)", /the argument a stands twice/],
    ["f(a=g(b=1))", /a value expected/],
    ["f(a=open('x'))", /a value expected/],
    ["[f(a=1)", /"," or "\]" expected/],
    ["f(a=1) and then some", /expected/],
    [`[${Array(65).fill("f()").join(",")}]`, /expected|more than 64 calls/],
    [Array(65).fill(TIME).join("\n"), /more than 64 calls/],
    [" ".repeat(65_537), /longer than/],
  ])("%s", (text, reason) => {
    expect(read(text)).toMatch(reason);
    expect(read(text)).toMatch(/^invalid/);
  });
});

test("for any text, answers and does not throw", () => {
  const pieces = fc.array(
    fc.constantFrom(
      "<tool_call>",
      "</tool_call>",
      "```",
      "json\n",
      WEATHER,
      "[",
      "]",
      "{",
      "}",
      '"',
      ":",
      ",",
      "f(",
      "a=",
      "1",
      ")",
      "\\",
      "'",
      "<think>",
      "</think>",
    ),
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    pieces.map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(["calls", "none", "invalid"]).toContain(parseCalls(text).kind);
    }),
    { numRuns: 1000 },
  );
});

test("takes no longer than linear time", () => {
  const pieces = [
    "{",
    "[",
    '{"',
    '[{"a":',
    '{"a":[{',
    "[{}",
    "f(",
    "f(a=",
    "(",
    "'",
    "<tool_call>",
    "```",
    "<think>",
    '{"name":"f"}',
    "\\",
    " ",
    "1",
    "[[",
    '"a":',
    "{ ",
    "[ {",
  ];
  const seconds = pieces.map((piece) => {
    const start = performance.now();
    parseCalls(piece.repeat(Math.floor(65_000 / piece.length)));
    parseCalls(`f(a=${piece.repeat(Math.floor(65_000 / piece.length))}`);
    return (performance.now() - start) / 1000;
  });
  expect(Math.max(...seconds)).toBeLessThan(2); // quadratic: more than 4
});
