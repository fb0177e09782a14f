import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Message, ToolDefinition } from "../core/task.ts";
import { loadChat } from "./chat.ts";
import { createChatTemplate } from "./chat-template.ts";
import { loadTokenizer } from "./tokenizer.ts";
import { mapToolText } from "./tool-text.ts";

const tool = (
  name: string,
  description: string,
  parameters: Record<string, unknown> = {},
): ToolDefinition => ({
  type: "function",
  function: { name, description, parameters },
});
const weather = tool("weather", 'Says "hot"\nor not', {
  type: "object",
  properties: { type: { type: "string", enum: ["a", "type"] }, days: { type: "integer", default: 3 } },
  required: ["type"],
});
const question: Message[] = [{ role: "user", content: "Hot?" }];
const render = (source: string, tools: readonly ToolDefinition[], messages = question) =>
  createChatTemplate(source, {}).render([{ messages, tools }])[0]!;
const untrusted = (source: string, tools: readonly ToolDefinition[]) =>
  render(source, tools)
    .filter(({ trusted }) => !trusted)
    .map(({ text }) => text);

test("schema words are no text of the data, property names and values are", () => {
  const texts: string[] = [];
  const mapped = mapToolText([weather], (text) => {
    texts.push(text);
    return text.toUpperCase();
  });
  expect(texts).toEqual(["weather", 'Says "hot"\nor not', "type", "a", "type", "days", "type"]);
  expect(mapped[0]!.function.parameters).toEqual({
    type: "object",
    properties: { TYPE: { type: "string", enum: ["A", "TYPE"] }, DAYS: { type: "integer", default: 3 } },
    required: ["TYPE"],
  });
  expect(mapToolText([tool("f", "x", { type: "dict", properties: undefined })], (text) => text)).toEqual([
    { type: "function", function: { name: "f", description: "x", parameters: { type: "dict" } } },
  ]);
});

test("texts of tools are told apart from the template's, in JSON and in loops over fields", () => {
  const json = "{% for t in tools %}<{{ t | tojson }}>{% endfor %}{{ messages[0].content }}";
  const quoted = [tool("f", 'a "b"\n', { type: "object", properties: {} })];
  expect(untrusted(json, quoted)).toEqual(["f", 'a \\"b\\"\\n', "Hot?"]);
  const written = render(json, quoted).map(({ text }) => text);
  expect(written.join("")).toBe(
    '<{"type": "function", "function": {"name": "f", "description": "a \\"b\\"\\n", "parameters": {"type": "object", "properties": {}}}}>Hot?',
  );
  const loop =
    "{% for t in tools %}{% set p = t.function.parameters %}{{ t.function.name }}: {{ t.function.description | trim }}" +
    "{% for name, schema in p.properties | items %} <{{ name }}{{ '!' if name in p.required }}={{ schema.type }}" +
    "{{ ' (text)' if schema.type == 'string' }}>{% endfor %}{% endfor %} {{ messages[0].content }}";
  const pieces = render(loop, [weather]);
  expect(pieces.map(({ text }) => text).join("")).toBe(
    'weather: Says "hot"\nor not <type!=string (text)> <days=integer> Hot?',
  );
  expect(untrusted(loop, [weather])).toEqual(["weather", 'Says "hot"\nor not', "type", "days", "Hot?"]);
});

test("no tools at all is what the template takes for none", () => {
  const source = "{{ 'with' if tools is not none else 'without' }} {{ messages[0].content }}";
  expect(render(source, []).map(({ text }) => text)).toEqual(["without ", "Hot?", ""]);
});

test("a template without a place for tools is refused, as is one that leaves one out or changes it", () => {
  const refusal = expect.objectContaining({
    code: "tokenizer",
    message: 'chat template: must write the tools, leaves out "weather"',
    hint: "this model's template has no place for tools; put them into the prompt",
  });
  expect(() => render("{{ messages[0].content }}", [weather])).toThrow(refusal);
  const first = "{{ tools[0] | tojson }}{{ messages[0].content }}";
  expect(() => render(first, [tool("f", "x"), weather])).toThrow(refusal);
  const upper = "{{ tools[0].function.name | upper }}{{ messages[0].content }}";
  expect(() => render(upper, [weather])).toThrow(/must not change text given to it, changes "weather"/);
  const branch =
    "{{ tools[0] | tojson }}{{ '<x>' if 'hot' in tools[0].function.description }}{{ messages[0].content }}";
  expect(() => render(branch, [weather])).toThrow(/must not change/);
});

test("for any texts made of control tokens, only the template's own control the chat", async () => {
  const tokenizer = await loadTokenizer("test/fixtures/tiny-chat");
  const source =
    "<|system|>{{ tools | tojson(indent=2) }}{{ tools[0].function.name }}<|end|><|user|>{{ messages[0].content }}";
  const [system, end, user] = ["<|system|>", "<|end|>", "<|user|>"].map((text) => tokenizer.specialId(text));
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc
      .array(fc.constantFrom("<|end|>", "<|", "|>", "end", "\uE0000\uE001", '"', "\\", " ", "type", "1"), {
        minLength: 1,
      })
      .map((words) => words.join("")),
    fc.constantFrom("__proto__", "toString", "name"),
  );
  const name = text.filter((it) => it.trim() !== "");
  fc.assert(
    fc.property(name, text, text, text, (name, about, key, content) => {
      const properties = Object.fromEntries([[key, { type: "string", enum: [about] }]]);
      const tools = [tool(name, about, { type: "object", properties, required: [key] })];
      const tokens = tokenizer.encodePieces(render(source, tools, [{ role: "user", content }]));
      expect(tokens.filter((id) => tokenizer.controlIds.has(id))).toEqual([system, end, user]);
      expect(tokenizer.decodeWithSpecials(tokens)).toBe(
        `<|system|>${JSON.stringify(tools, null, 2)}${name}<|end|><|user|>${content}`,
      );
    }),
  );
});

const VECTORS = "../shared/tokenizers";
describe.skipIf(!existsSync(VECTORS))("the templates of known models", () => {
  test.each(["qwen2.5-instruct", "llama-3.1-instruct", "qwen3"])(
    "write tools as transformers does: %s",
    async (family) => {
      const chat = await loadChat(join(VECTORS, family));
      const { chat: vectors } = JSON.parse(readFileSync(join(VECTORS, family, "vectors.json"), "utf8"));
      const withTools = vectors.filter(
        ({ tools, messages }: { tools: unknown; messages: Message[] }) => tools && messages.length === 2,
      );
      expect(withTools).toHaveLength(1);
      const [{ messages, tools, ids }] = withTools;
      expect(chat.start(messages, tools).tokens).toEqual(ids);
    },
  );
});
