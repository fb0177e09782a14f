import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Message } from "../core/task.ts";
import { createChatTemplate } from "./chat-template.ts";
import { loadTokenizer } from "./tokenizer.ts";
import { readTokenizerFiles } from "./tokenizer-files.ts";

const EACH = "{% for m in messages %}";
const user = (content: string): Message => ({ role: "user", content });
const textsOf = (source: string, messages: Message[], variables = {}) =>
  createChatTemplate(source, variables)
    .render([{ messages, tools: [] }])[0]!
    .map(({ text }) => text);

test("tells template text from message bodies", () => {
  const template = createChatTemplate(`{{ bos_token }}${EACH}[{{ m.content }}]{% endfor %}`, {
    bos_token: "<s>",
  });
  const pieces = [
    { text: "<s>[", trusted: true, message: undefined },
    { text: "x<s>", trusted: false, message: 0 },
    { text: "][", trusted: true, message: undefined },
    { text: "[y]", trusted: false, message: 1 },
    { text: "]", trusted: true, message: undefined },
  ];
  const chat = { messages: [user("x<s>"), user("[y]")], tools: [] };
  expect(template.render([chat])).toEqual([pieces]);
  const short = { messages: [user("z")], tools: [] };
  expect(template.render([short, chat])[1]).toEqual(pieces);
  expect(template.render([short, chat])[0]!.map(({ text }) => text)).toEqual(["<s>[", "z", "]"]);
});

test("of several chats names the one that the template refuses", () => {
  const source = `${EACH}{% if m.role == "system" %}{{ raise_exception("none") }}{% endif %}{% endfor %}`;
  const chats = [[user("a")], [{ role: "system", content: "b" } as const, user("c")]];
  const template = createChatTemplate(source, {});
  const render = () => template.render(chats.map((messages) => ({ messages, tools: [] })));
  expect(render).toThrow(/must render the turns system, user, failed with: none/);
});

test("follows templates that trim messages, wholly or at one end", () => {
  const messages = [user(" a \n")];
  expect(textsOf(`${EACH}[{{ m.content }}]{% endfor %}`, messages)).toEqual(["[", " a \n", "]"]);
  expect(textsOf(`${EACH}[{{ m.content | trim }}]{% endfor %}`, messages)).toEqual(["[", "a", "]"]);
  expect(textsOf(`${EACH}[{{ ('b' + m.content) | trim }}]{% endfor %}`, messages)).toEqual(["[b", " a", "]"]);
});

test("lets the template see that a message is empty", () => {
  const source = `${EACH}{% if m.content %}[{{ m.content }}]{% endif %}{% endfor %}.`;
  expect(textsOf(source, [user(""), user("a")])).toEqual(["[", "a", "]."]);
});

test.each([
  ["rewrites a message", `${EACH}{{ m.content | upper }}{% endfor %}`, /message 0 \(user\) or what follows/],
  ["leaves a message out", "none", /message 0 \(user\), which it leaves out/],
  [
    "answers to a message's text",
    `${EACH}{{ m.content }}{% endfor %}{{ 'x' if 'a' in messages[0].content }}`,
    /must not change/,
  ],
  [
    "refuses the turns",
    "{{ raise_exception('no users') }}",
    /must render the turns user, failed with: no users/,
  ],
])("refuses a template that %s", (_, source, message) => {
  expect(() => textsOf(source, [user("abc")])).toThrow(message);
});

test("refuses a template that is not Jinja", () => {
  expect(() => createChatTemplate("{% for %}", {})).toThrow(/chat template: must be valid Jinja/);
});

test("has the same date every day", () => {
  const source = "{{ strftime_now('%d %b %Y, %A 100%%') }}|{{ messages[0].content }}";
  expect(textsOf(source, [user("a")])).toEqual(["26 Jul 2024, Friday 100%|", "a", ""]);
});

describe("a template that would not end or not fit into memory", () => {
  const doubled = (start: string, next: string) =>
    `{% set ns = namespace(s=${start}) %}{% for i in range(40) %}{% set ns.s = ${next} %}{% endfor %}`;

  test("is ended after a second of computing, and the next one renders as ever", () => {
    const endless = "{% for a in range(60000) %}{% for b in range(60000) %}{% endfor %}{% endfor %}";
    expect(() => textsOf(endless, [user("a")])).toThrow(/it took longer than 1000 ms/);
    expect(textsOf("[{{ messages[0].content }}]", [user("a")])).toEqual(["[", "a", "]"]);
  });

  test.each([
    ["a text that doubles", `${doubled("'ab'", "ns.s ~ ns.s")}{{ ns.s }}`, /4194304 characters, more than/],
    ["a list that doubles", doubled("[1]", "ns.s + ns.s"), /131072 items, more than/],
    [
      "a list of lists of one list",
      `${doubled("['x']", "[ns.s, ns.s]")}{{ ns.s | tojson }}`,
      /characters, more/,
    ],
    ["an object with itself in it", "{% set n = namespace() %}{% set n.n = n %}{{ n }}", /call stack/],
    ["a long range", "{{ range(10 ** 12) }}", /range\(\) makes 1000000000000 items/],
    ["a range without steps", "{{ range(0, 1, 0) }}", /range\(\) makes Infinity items/],
    ["a deep indentation", "{{ [[1]] | tojson(indent=100000000) }}", /100000000 characters, more than/],
    [
      "a long separator",
      `${doubled("'ab'", "ns.s ~ 'ab'")}{{ range(60000) | join(ns.s) }}`,
      /characters, more/,
    ],
    ["a macro that calls itself", "{% macro f(g) %}{{ g(g) }}{% endmacro %}{{ f(f) }}", /call stack/],
    [
      "a deep expression",
      `{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`,
      /valid Jinja, got Maximum call stack/,
    ],
    ["a long source", " ".repeat(200_000), /must have at most 131072 characters, got 200000/],
  ])("is refused for %s", (_, source, message) => {
    expect(() => textsOf(source, [user("a")])).toThrow(message);
  });
});

test("refuses template variables that are no data", () => {
  expect(() => textsOf("{{ f() }}", [user("a")], { f: () => 1 })).toThrow(
    /cannot be rendered: .*could not be cloned/s,
  );
});

const VECTORS = "../shared/tokenizers";
describe.skipIf(!existsSync(VECTORS))("the templates of known models", () => {
  test.each([
    ["qwen2.5-instruct", 4],
    ["llama-3.1-instruct", 4],
    ["phi-3.5-mini-instruct", 4],
    ["qwen3", 4],
  ])("matches reference texts and ids of %s", async (family, count) => {
    const folder = join(VECTORS, family);
    const files = await readTokenizerFiles(folder);
    const tokenizer = await loadTokenizer(folder);
    const { chat } = JSON.parse(readFileSync(join(folder, "vectors.json"), "utf8"));
    let compared = 0;
    for (const { messages, tools, add_generation_prompt, template_kwargs, text, ids } of chat) {
      // Qwen3's template cuts <think> out of earlier turns: refused, see below.
      const thinks = messages.some(({ content }: Message) => content.includes("<think>"));
      if (tools || thinks) continue;
      const template = createChatTemplate(files.template!, { ...files.namedTokens, ...template_kwargs });
      const pieces = template.render([{ messages, tools: [] }], add_generation_prompt)[0]!;
      expect(pieces.map((piece) => piece.text).join("")).toBe(text);
      expect(tokenizer.encodePieces(pieces)).toEqual(ids);
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(count);
  });

  test("refuses a message that Qwen3's template would change", async () => {
    const files = await readTokenizerFiles(join(VECTORS, "qwen3"));
    const template = createChatTemplate(files.template!, files.namedTokens);
    const messages: Message[] = [
      user("a"),
      { role: "assistant", content: "<think>\nhm\n</think>\n\nb" },
      user("c"),
    ];
    expect(() => template.render([{ messages, tools: [] }])).toThrow(/changes message 1 \(assistant\)/);
  });

  test("gives Llama 3.2 its date", async () => {
    const config = JSON.parse(
      readFileSync(join(VECTORS, "llama-3.2-instruct/tokenizer_config.json"), "utf8"),
    );
    const texts = textsOf(config.chat_template, [user("a")], { bos_token: "<|begin_of_text|>" });
    expect(texts[0]).toContain("<|begin_of_text|><|start_header_id|>system");
    expect(texts[0]).toContain("Today Date: 26 Jul 2024\n");
  });
});
