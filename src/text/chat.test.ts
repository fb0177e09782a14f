import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { MulliganError } from "../core/errors.ts";
import type { Message } from "../core/task.ts";
import { loadChat } from "./chat.ts";
import { checkCovered, checkPrefix } from "./conversation.ts";

const TINY = "test/fixtures/tiny-chat";
const [END, USER, ASSISTANT] = [0, 1, 2];
const question: Message[] = [{ role: "user", content: "the answer" }];

const folders: string[] = [];
/** The tiny chat's folder with some files replaced or added. */
function tinyWith(files: Record<string, object | string>): string {
  const folder = mkdtempSync(join(tmpdir(), "mulligan-chat-"));
  folders.push(folder);
  const all = { "tokenizer.json": readFileSync(join(TINY, "tokenizer.json"), "utf8"), ...files };
  for (const [name, value] of Object.entries(all)) {
    writeFileSync(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
  }
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe("the tiny chat", async () => {
  const chat = await loadChat(TINY);
  const { tokenizer } = chat;
  const newline = tokenizer.encode("\n")[0]!;

  test("opens with the rendered prompt as one span", () => {
    const { tokens, spans } = chat.start(question);
    expect(tokenizer.decodeWithSpecials(tokens)).toBe("<|user|>\nthe answer<|end|>\n<|assistant|>\n");
    expect(tokens.filter((id) => id < 4)).toEqual([USER, END, ASSISTANT]);
    expect(spans).toEqual([{ part: "prompt", start: 0, end: tokens.length }]);
  });

  test("stops at the template's end-of-turn token", () => {
    expect(chat.stopTokens).toEqual([END]);
  });

  test("keeps sampled tokens as they are, though their text would be encoded differently", () => {
    const letters = [..."answer"].flatMap((letter) => tokenizer.encode(letter));
    expect(tokenizer.encode("answer")).not.toEqual(letters);
    const attempted = chat.appendSampled(chat.start(question), "attempt", Int32Array.from([...letters, END]));
    expect(attempted.tokens.slice(-7)).toEqual([...letters, END]);
    const next = chat.appendTurn(attempted, "reflection-prompt", "in");
    expect(next.tokens.slice(0, attempted.tokens.length)).toEqual(attempted.tokens);
    expect(chat.decode(letters)).toBe("answer");
  });

  test("does not double an end token that was sampled, and adds it where it was not", () => {
    const delta = [newline, USER, newline, ...tokenizer.encode("in"), END, newline, ASSISTANT, newline];
    const start = chat.start(question);
    const ended = chat.appendSampled(start, "attempt", [262, END]);
    expect(chat.appendTurn(ended, "reflection-prompt", "in").tokens).toEqual([...ended.tokens, ...delta]);
    const cut = chat.appendSampled(start, "attempt", [262, 262]);
    const closed = chat.appendTurn(cut, "reflection-prompt", "in");
    expect(closed.tokens).toEqual([...cut.tokens, END, ...delta]);
    // The added end token is the template's: it is no part of what the model wrote.
    expect(closed.spans[1]).toEqual({ part: "attempt", start: start.tokens.length, end: cut.tokens.length });
    expect(closed.spans[2]!.start).toBe(cut.tokens.length);
  });

  test("gives a prompt the same tokens again, whatever was done to them, and another prompt its own", () => {
    const { tokens } = chat.start(question);
    (chat.start(question).tokens as number[]).fill(0);
    expect(chat.start(question).tokens).toEqual(tokens);
    expect(chat.start([{ role: "user", content: "in" }]).tokens).not.toEqual(tokens);
  });

  test("gives a turn the same tokens again, whatever was done to them", () => {
    const attempted = chat.appendSampled(chat.start(question), "attempt", [262, END]);
    const turn = (content: string) =>
      chat.appendTurn(attempted, "reflection-prompt", content).tokens as number[];
    const tokens = turn("in");
    const given = turn("in").fill(0);
    expect(turn("in")).toEqual(tokens);
    expect(turn("in 1").length - turn("in 22").length).toBe(-1);
    expect(new Set(given)).toEqual(new Set([0]));
  });

  test("closes a turn in which nothing was sampled, though the prompt before it ends with an end token", () => {
    const silent = chat.appendSampled(
      { tokens: [END], spans: [{ part: "prompt", start: 0, end: 1 }] },
      "attempt",
      [],
    );
    expect(chat.appendTurn(silent, "retry-prompt", "in").tokens.slice(0, 2)).toEqual([END, END]);
  });

  test("has the ids of the whole template when the model writes what the tokenizer would", () => {
    const long = chat.start([
      ...question,
      { role: "assistant", content: "in" },
      { role: "user", content: "on" },
    ]);
    const attempted = chat.appendSampled(chat.start(question), "attempt", [...tokenizer.encode("in"), END]);
    expect(chat.appendTurn(attempted, "retry-prompt", "on").tokens).toEqual(long.tokens);
  });

  test("for any texts and samples, each conversation is a prefix of the next and spans cover it", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("<|end|>", "\n<|user|>\n", " ", ""),
    );
    const sampled = fc.array(fc.nat(270), { maxLength: 6 });
    fc.assert(
      fc.property(text, sampled, text, sampled, text, sampled, (prompt, a, ask, b, again, c) => {
        const steps = [chat.start([{ role: "user", content: prompt }])];
        steps.push(chat.appendSampled(steps[0]!, "attempt", a));
        steps.push(chat.appendTurn(steps[1]!, "reflection-prompt", ask));
        steps.push(chat.appendSampled(steps[2]!, "reflection", b));
        steps.push(chat.appendTurn(steps[3]!, "retry-prompt", again));
        steps.push(chat.appendSampled(steps[4]!, "retry", c));
        steps.forEach((step, i) => {
          checkCovered(step.tokens, step.spans);
          expect(step.spans).toHaveLength(i + 1);
          if (i > 0) checkPrefix(steps[i - 1]!, step);
        });
        const { tokens, spans } = steps[5]!;
        expect(spans.map(({ part }) => part)).toEqual([
          "prompt",
          "attempt",
          "reflection-prompt",
          "reflection",
          "retry-prompt",
          "retry",
        ]);
        for (const [part, ids] of [
          [1, a],
          [3, b],
          [5, c],
        ] as const) {
          expect(tokens.slice(spans[part]!.start, spans[part]!.end)).toEqual(ids);
        }
      }),
    );
  });

  test("for any texts made of special tokens, only the template's own control the chat", () => {
    const word = fc.constantFrom("<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "\n", "a", "<|", "|>");
    const text = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => `x${words.join("")}x`);
    const controls = (tokens: readonly number[]) => tokens.filter((id) => tokenizer.controlIds.has(id));
    fc.assert(
      fc.property(text, text, (prompt, ask) => {
        const start = chat.start([{ role: "user", content: prompt }]);
        expect(controls(start.tokens)).toEqual([USER, END, ASSISTANT]);
        const next = chat.appendTurn(chat.appendSampled(start, "attempt", [262]), "reflection-prompt", ask);
        expect(controls(next.tokens.slice(start.tokens.length))).toEqual([END, USER, END, ASSISTANT]);
        expect(tokenizer.decodeWithSpecials(next.tokens)).toContain(`<|user|>\n${ask}<|end|>`);
      }),
    );
  });
});

describe("what a folder says", () => {
  const template = `${"{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"}{% endfor %}<|assistant|>`;
  const config = JSON.parse(readFileSync(join(TINY, "tokenizer_config.json"), "utf8"));

  test("chat_template.jinja wins over tokenizer_config.json", async () => {
    const chat = await loadChat(
      tinyWith({ "tokenizer_config.json": config, "chat_template.jinja": `!${template}` }),
    );
    const { tokens } = chat.start([{ role: "user", content: "a" }]);
    expect(chat.tokenizer.decodeWithSpecials(tokens)).toBe("!<|user|>a<|assistant|>");
  });

  test("of named templates the default is taken, and tokens may be objects", async () => {
    const chat = await loadChat(
      tinyWith({
        "tokenizer_config.json": {
          eos_token: { content: "<|end|>" },
          chat_template: [
            { name: "tool_use", template: "no" },
            {
              name: "default",
              template: "{% for m in messages %}<|user|>{{ m.content + eos_token }}{% endfor %}",
            },
          ],
        },
      }),
    );
    expect(chat.start([{ role: "user", content: "the" }]).tokens).toEqual([USER, 262, END]);
  });

  test("every end token that a config names is a stop token", async () => {
    const chat = await loadChat(
      tinyWith({
        "tokenizer_config.json": config,
        "generation_config.json": { eos_token_id: [3, 0] },
        "config.json": { eos_token_id: 1 },
      }),
    );
    expect(chat.stopTokens).toEqual([END, 3, 1]);
  });

  test("a folder without chat template is refused with advice", async () => {
    const error = await loadChat(tinyWith({})).catch((e) => e);
    expect(error).toBeInstanceOf(MulliganError);
    expect(error.message).toContain("needs a chat template");
    expect(error.hint).toContain("chat_template.jinja");
  });

  test("a folder without a token that ends a turn is refused with advice", async () => {
    const plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
    const error = await loadChat(tinyWith({ "chat_template.jinja": plain })).catch((e) => e);
    expect(error.code).toBe("tokenizer");
    expect(error.message).toContain("needs a token that ends an assistant's turn");
    expect(error.hint).toContain("eos_token");
  });

  test("an eos_token that tokenizer.json lacks is refused by name", async () => {
    const folder = tinyWith({ "tokenizer_config.json": { ...config, eos_token: "<|eos|>" } });
    await expect(loadChat(folder)).rejects.toThrow(/eos_token must be an added token .* got "<\|eos\|>"/);
  });
});

describe("templates that would rewrite earlier turns", () => {
  const turns = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}";
  const chatOf = (template: string, kwargs = {}) =>
    loadChat(tinyWith({ "chat_template.jinja": template }), kwargs);
  const render = async (template: string, kwargs: object, says: string, messages = question) => {
    const chat = await chatOf(template, kwargs);
    const start = chat.start(messages);
    const attempted = chat.appendSampled(start, "attempt", [...chat.tokenizer.encode(says), END]);
    return chat.tokenizer.decodeWithSpecials(chat.appendTurn(attempted, "retry-prompt", "why").tokens);
  };

  test("keep what the model was given and wrote, be it cut out of earlier turns by the template", async () => {
    // Qwen3's way: no think block in earlier turns, an empty one before the words of a model told not to think.
    const source =
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}<|assistant|>" +
      "{{ '<think></think>' if enable_thinking is defined and enable_thinking is false }}";
    expect(await render(source, {}, "<think>hm</think>7")).toBe(
      "<|user|>the answer<|end|><|assistant|><think>hm</think>7<|end|><|user|>why<|end|><|assistant|>",
    );
    expect(await render(source, { enable_thinking: false }, "7")).toBe(
      "<|user|>the answer<|end|><|assistant|><think></think>7<|end|><|user|>why<|end|><|assistant|><think></think>",
    );
    expect(await render(source, { unknown: 1 }, "7")).toBe(await render(source, {}, "7"));
  });

  test("write a default system prompt once", async () => {
    const source = `{{ '<|system|>be kind<|end|>' if messages[0].role != 'system' }}${turns}<|assistant|>`;
    expect(await render(source, {}, "7")).toBe(
      "<|system|>be kind<|end|><|user|>the answer<|end|><|assistant|>7<|end|><|user|>why<|end|><|assistant|>",
    );
    const messages: Message[] = [{ role: "system", content: "brief" }, ...question];
    expect(await render(source, {}, "7", messages)).toBe(
      "<|system|>brief<|end|><|user|>the answer<|end|><|assistant|>7<|end|><|user|>why<|end|><|assistant|>",
    );
  });

  test("are refused where they move the system message or the tools into the last turn", async () => {
    // Mistral's way
    const source =
      "{% set system = messages[0].content if messages[0].role == 'system' %}" +
      "{% for m in messages if m.role != 'system' %}{{ tools | tojson if tools and loop.last }}" +
      "<|{{ m.role }}|>{{ system + ': ' if system and loop.last }}{{ m.content }}<|end|>{% endfor %}<|assistant|>";
    const chat = await chatOf(source);
    expect(chat.tokenizer.decodeWithSpecials(chat.start(question).tokens)).toBe(
      "<|user|>the answer<|end|><|assistant|>",
    );
    expect(() => chat.start([{ role: "system", content: "brief" }, ...question])).toThrow(
      expect.objectContaining({
        code: "tokenizer",
        message:
          'chat template: must write a later turn as "<|end|><|user|>c<|end|><|assistant|>" after any prompt, ' +
          'got "<|end|><|user|>brief: c<|end|><|assistant|>"',
        hint: expect.stringContaining("put them into the user message"),
      }),
    );
    const tools = [{ type: "function" as const, function: { name: "f" } }];
    expect(() => chat.start(question, tools)).toThrow(/must write a later turn as .* got "<\|end\|>\[\{/);
  });

  test("take variables from the settings, but not those that are the chat's own", async () => {
    expect(await render(`{{ opening }}${turns}<|assistant|>`, { opening: "<|system|>hi" }, "7")).toMatch(
      /^<\|system\|>hi<\|user\|>/,
    );
    await expect(chatOf(turns, { tools: [] })).rejects.toThrow(
      "the variable tools must be left to the chat itself",
    );
  });
});

const VECTORS = "../shared/tokenizers";
describe.skipIf(!existsSync(VECTORS))("the chats of known models", () => {
  test.each([
    ["qwen2.5-instruct", [151645]],
    ["llama-3.1-instruct", [128009]],
    ["phi-3.5-mini-instruct", [32007, 32000]],
    ["qwen3", [151645]],
  ])("matches reference ids of %s, in one piece and turn by turn", async (family, stopTokens) => {
    const chat = await loadChat(join(VECTORS, family));
    expect(chat.stopTokens).toEqual(stopTokens);
    const { chat: vectors } = JSON.parse(readFileSync(join(VECTORS, family, "vectors.json"), "utf8"));
    const plain = vectors.filter(
      (vector: { messages: Message[] } & Record<string, unknown>) =>
        !vector.tools &&
        vector.add_generation_prompt &&
        Object.keys(vector.template_kwargs as object).length === 0 &&
        !vector.messages.some(({ content }) => content.includes("<think>")),
    );
    expect(plain).toHaveLength(3);
    for (const { messages, ids } of plain) expect(chat.start(messages).tokens).toEqual(ids);

    const { messages, ids } = plain.find((vector: { messages: Message[] }) => vector.messages.length === 3);
    const start = chat.start(messages.slice(0, 1));
    const words = chat.tokenizer.encode(messages[1].content);
    for (const sampled of [words, [...words, stopTokens[0]!]]) {
      const attempted = chat.appendSampled(start, "attempt", sampled);
      expect(chat.appendTurn(attempted, "retry-prompt", messages[2].content).tokens).toEqual(ids);
    }
  });
});
