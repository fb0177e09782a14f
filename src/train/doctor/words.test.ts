/** The shipped model's chat is sound; each way to spoil it is found. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Message, Task } from "../../core/task.ts";
import { type Chat, loadChat } from "../../loop/policy.ts";
import { checkTemplate, checkTokenizer } from "./words.ts";

let chat: Chat;
beforeAll(async () => {
  chat = await loadChat("models/mini");
});

const task: Task = {
  name: "sums",
  problems: async () => [],
  prompt: (row) => [{ role: "user", content: String(row) }],
  reflectionPrompt: () => "wrong. why?",
  retryPrompt: (row) => `again: ${row}`,
  plainRetryPrompt: () => "wrong.",
  verify: () => true,
};
const problems = [
  { id: "a", row: "1 + 2" },
  { id: "b", row: "3 + 4" },
];
/** The chat with a tokenizer that differs in some ways. */
const withTokenizer = (changes: Partial<Chat["tokenizer"]>): Chat => ({
  ...chat,
  tokenizer: { ...chat.tokenizer, ...changes },
});

describe("the tokenizer", () => {
  const texts = ["1 + 2 = 3", "wrong. why?"];

  test("gives the task's texts back, and ends a turn with a token that no text can spell", () => {
    expect(checkTokenizer(chat, texts)).toEqual({
      status: "ok",
      found: "2 texts of the task come back whole; a turn ends with <|end|>",
    });
  });

  test("that has no token for what the task is written in fails", () => {
    expect(checkTokenizer(chat, [...texts, "日本"])).toMatchObject({
      status: "failed",
      found: expect.stringMatching(/^"日本" becomes /),
      advice: expect.stringContaining("the vocabulary lacks"),
    });
  });

  test("that was tampered with, so that digits are read as others, fails", () => {
    const swapped = withTokenizer({ encode: (text) => chat.tokenizer.encode(text.replaceAll("1", "7")) });
    expect(checkTokenizer(swapped, texts)).toMatchObject({
      status: "failed",
      found: '"1 + 2 = 3" becomes "7 + 2 = 3"',
    });
  });

  test("in which a text can spell the end of a turn fails", () => {
    const spelt = withTokenizer({
      encode: (text) => chat.tokenizer.encodeTemplate(text),
      decode: (tokens) => chat.tokenizer.decodeWithSpecials(tokens),
    });
    expect(checkTokenizer(spelt, texts)).toMatchObject({
      status: "failed",
      found: "a text that spells <|end|> ends a turn",
    });
  });

  test("whose end of a turn is no token of its vocabulary fails", () => {
    expect(checkTokenizer({ ...chat, stopTokens: [99_999] }, texts)).toMatchObject({
      status: "failed",
      found: "token 99999 ends a turn, but the vocabulary has no such token",
    });
    expect(checkTokenizer({ ...chat, stopTokens: [] }, texts).found).toBe("no token ends a turn");
  });
});

describe("the template", () => {
  test("of the shipped model writes conversations of which each turn begins the next", () => {
    expect(checkTemplate(chat, task, problems)).toEqual({
      status: "ok",
      found:
        "each turn's tokens begin the next one's, in 2 conversations, as the template itself writes them",
    });
  });

  test("that drops what was sampled from earlier turns fails", () => {
    const forgetful: Chat = {
      ...chat,
      appendTurn: (...given) => {
        const appended = chat.appendTurn(...given);
        return { ...appended, tokens: [7, ...appended.tokens.slice(1)] };
      },
    };
    expect(checkTemplate(forgetful, task, problems)).toMatchObject({
      status: "failed",
      found: 'problem "a": turn 2 is not the beginning of turn 3',
    });
  });

  test("that would rewrite earlier turns, which a run does not, is warned of", () => {
    const thinking: Chat = {
      ...chat,
      start: (messages, tools) => {
        const last = messages.length - 1;
        const cut = (message: Message, i: number) =>
          message.role === "assistant" && i < last ? { ...message, content: "" } : message;
        return chat.start(messages.map(cut), tools);
      },
    };
    expect(checkTemplate(thinking, task, problems)).toMatchObject({
      status: "warning",
      found: expect.stringContaining("would rewrite earlier turns"),
      advice: expect.stringContaining("fine for a run"),
    });
  });

  test("that refuses the task's prompts fails with the reason", () => {
    const failing: Chat = {
      ...chat,
      start: () => {
        throw new Error("no place for a system message");
      },
    };
    expect(checkTemplate(failing, task, problems)).toMatchObject({
      status: "failed",
      found: expect.stringContaining("no place for a system message"),
    });
  });
});
