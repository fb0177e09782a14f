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
    .render(messages, true)
    .map(({ text }) => text);

test("tells template text from message bodies", () => {
  const template = createChatTemplate(`{{ bos_token }}${EACH}[{{ m.content }}]{% endfor %}`, {
    bos_token: "<s>",
  });
  expect(template.render([user("x<s>"), user("[y]")], true)).toEqual([
    { text: "<s>[", trusted: true, message: undefined },
    { text: "x<s>", trusted: false, message: 0 },
    { text: "][", trusted: true, message: undefined },
    { text: "[y]", trusted: false, message: 1 },
    { text: "]", trusted: true, message: undefined },
  ]);
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
      const pieces = template.render(messages, add_generation_prompt);
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
    expect(() => template.render(messages, true)).toThrow(/changes message 1 \(assistant\)/);
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
