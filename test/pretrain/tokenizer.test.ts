import { Template } from "@huggingface/jinja";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dialogue } from "../../pretrain/corpus.ts";
import {
  chatTemplate,
  encodeText,
  endId,
  specialTokens,
  tokenizerFiles,
  unkId,
  vocabulary,
} from "../../pretrain/tokenizer.ts";

const files = tokenizerFiles(128);
const config = JSON.parse(files["tokenizer_config.json"]!);
const tokenizer = new Tokenizer(JSON.parse(files["tokenizer.json"]!), config);
const texts = Array.from({ length: 500 }, (_, index) => dialogue(1, index).turns).flatMap((turns) =>
  turns.map(({ text }) => text),
);

describe("the shipped model's tokenizer", () => {
  test("has at most 256 tokens, none twice and none longer than 16 characters", () => {
    expect(vocabulary.length).toBeLessThanOrEqual(256);
    expect(new Set(vocabulary).size).toBe(vocabulary.length);
    expect(vocabulary.filter((token) => token.length > 16)).toEqual([]);
  });

  test("keeps digits single: no token holds a digit and anything else", () => {
    expect(vocabulary.filter((token) => /\d/.test(token))).toEqual([..."0123456789"]);
    expect(encodeText("100*20").map((id) => vocabulary[id])).toEqual([..."100*20"]);
  });

  test("writes Countdown's turns in few tokens", () => {
    const pieces = (text: string) => encodeText(text).map((id) => vocabulary[id]);
    expect(pieces("make 22 from 3,7,12")).toEqual([
      "make ",
      "2",
      "2",
      " from ",
      "3",
      ",",
      "7",
      ",",
      "1",
      "2",
    ]);
    expect(pieces("<answer>12+7+3</answer>")).toEqual(["<answer>", ..."12+7+3", "</answer>"]);
    expect(pieces("wrong. reflect")).toEqual(["wrong. reflect"]);
    expect(pieces("start with 7*3=21")).toEqual(["start with ", ..."7*3=21"]);
  });

  test("knows every character of the corpus and decodes it unchanged", () => {
    for (const text of texts) {
      const { ids } = tokenizer.encode(text, { add_special_tokens: false });
      expect(ids).toEqual(encodeText(text));
      expect(ids).not.toContain(unkId);
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });

  test("uses every word that it has a token for", () => {
    const used = new Set(
      Array.from({ length: 5000 }, (_, index) => dialogue(2, index).turns)
        .flat()
        .flatMap(({ text }) => encodeText(text)),
    );
    const words = vocabulary.map((_, id) => id).filter((id) => id >= specialTokens.length + 96);
    expect(words.filter((id) => !used.has(id)).map((id) => vocabulary[id])).toEqual([]);
  });

  test("encodes any text as the library does, one unknown token per foreign character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(!specialTokens.some((token) => text.includes(token)));
        expect(encodeText(text)).toEqual(tokenizer.encode(text, { add_special_tokens: false }).ids);
      }),
    );
    expect(encodeText("é")).toEqual([unkId]);
    expect(encodeText("🙂é")).toEqual([unkId, unkId]);
  });

  test("cannot be made to write special tokens by text", () => {
    expect(encodeText("<|end|>").every((id) => id >= specialTokens.length)).toBe(true);
  });

  test("renders turns between role and end tokens, and refuses system messages", () => {
    const template = new Template(chatTemplate);
    const messages = [
      { role: "user", content: "make 5 from 2,3,1" },
      { role: "assistant", content: "<answer>2+3*1</answer>" },
    ];
    const text = template.render({ messages, add_generation_prompt: true });
    expect(text).toBe(
      "<|user|>make 5 from 2,3,1<|end|><|assistant|><answer>2+3*1</answer><|end|><|assistant|>",
    );
    expect(config.chat_template).toBe(chatTemplate);
    expect(config.eos_token).toBe(vocabulary[endId]);
    const system = [{ role: "system", content: "be kind" }];
    expect(() => template.render({ messages: system })).toThrow("user and assistant");
  });
});
