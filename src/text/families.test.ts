import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Conversation } from "../core/episode.ts";
import type { Message, ToolDefinition } from "../core/task.ts";
import { type Chat, loadChat } from "./chat.ts";
import { checkPrefix } from "./conversation.ts";

/** Made by test/fixtures/chats/make_chats.py: an episode as transformers' template and tokenizer write it. */
interface Vector {
  kwargs: Record<string, unknown>;
  messages: Message[];
  tools: ToolDefinition[] | null;
  /** Attempt, reflection prompt, reflection, retry prompt. */
  turns: [string, string, string, string];
  start: number[];
  whole: number[];
}
const vectors: Record<string, Vector[]> = JSON.parse(readFileSync("test/fixtures/chats/chats.json", "utf8"));
const families = Object.keys(vectors);

const TOKENIZERS = "../shared/tokenizers";
/** Families whose tokenizer.json is another's. */
const SAME_TOKENIZER: Record<string, string> = {
  "llama-3.2-instruct": "llama-3.1-instruct",
  "phi-3-mini-4k-instruct": "phi-3.5-mini-instruct",
};

const temporary = mkdtempSync(join(tmpdir(), "mulligan-families-"));
afterAll(() => rmSync(temporary, { recursive: true }));

function folderOf(family: string): string {
  const other = SAME_TOKENIZER[family];
  if (!other) return join(TOKENIZERS, family);
  const folder = join(temporary, family);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(TOKENIZERS, other, "tokenizer.json"), join(folder, "tokenizer.json"));
  copyFileSync(join(TOKENIZERS, family, "tokenizer_config.json"), join(folder, "tokenizer_config.json"));
  return folder;
}

interface Episode {
  messages: readonly Message[];
  tools?: readonly ToolDefinition[] | null;
  /** What the user says after the attempt and after the reflection. */
  asks: readonly [string, string];
  /** What the model samples: attempt and reflection. */
  says: readonly [readonly number[], readonly number[]];
}

/** The conversation before the retry, checking that every step keeps what was before it. */
function play(chat: Chat, { messages, tools, asks, says }: Episode): Conversation {
  const steps = [chat.start(messages, tools ?? undefined)];
  const add = (step: Conversation) => {
    checkPrefix(steps.at(-1)!, step);
    steps.push(step);
  };
  add(chat.appendSampled(steps.at(-1)!, "attempt", says[0]));
  add(chat.appendTurn(steps.at(-1)!, "reflection-prompt", asks[0]));
  add(chat.appendSampled(steps.at(-1)!, "reflection", says[1]));
  add(chat.appendTurn(steps.at(-1)!, "retry-prompt", asks[1]));
  return steps.at(-1)!;
}

/** What the model would have to sample for the conversation to be `whole`: from `start` to its next end token. */
function sampledIn(whole: readonly number[], start: number, end: number): number[] {
  return whole.slice(start, whole.indexOf(end, start) + 1);
}

describe.skipIf(!existsSync(TOKENIZERS))("the chat of a known model", () => {
  describe.each(families)("%s", (family) => {
    let opened: { vector: Vector; chat: Chat }[] = [];
    beforeAll(async () => {
      const chats = new Map<string, Chat>();
      for (const vector of vectors[family]!) {
        const key = JSON.stringify(vector.kwargs);
        const chat = chats.get(key) ?? (await loadChat(folderOf(family), vector.kwargs));
        chats.set(key, chat);
        opened.push({ vector, chat });
      }
    });
    afterAll(() => {
      opened = []; // a vocabulary takes up to 200 MB
    });

    test("opens as transformers opens it, with and without tools", () => {
      for (const { vector, chat } of opened) {
        const { tokens } = chat.start(vector.messages, vector.tools ?? undefined);
        expect(tokens).toEqual(vector.start);
      }
    });

    test("goes on as transformers does, or keeps what transformers would cut out", () => {
      for (const { vector, chat } of opened) {
        const { whole, start, turns, messages, tools } = vector;
        const end = chat.stopTokens[0]!;
        const asks = [turns[1], turns[3]] as const;
        const rewrites = start.some((id, i) => id !== whole[i]);
        expect(rewrites).toBe(vector.kwargs.enable_thinking === false);
        if (!rewrites) {
          const attempt = sampledIn(whole, start.length, end);
          const asked = chat.appendTurn(
            chat.appendSampled(chat.start(messages, tools ?? undefined), "attempt", attempt),
            "reflection-prompt",
            asks[0],
          );
          const reflection = sampledIn(whole, asked.tokens.length, end);
          expect(play(chat, { messages, tools, asks, says: [attempt, reflection] }).tokens).toEqual(whole);
          // cut off at its limit: the template's end token takes the place of the model's
          const cut = play(chat, { messages, tools, asks, says: [attempt.slice(0, -1), reflection] });
          expect(cut.tokens).toEqual(whole);
          continue;
        }
        // Qwen3 told not to think: an empty think block opens each of the model's turns, and the template would cut it
        // out of the earlier ones. Kept, all else equals what the template writes.
        const says = [chat.tokenizer.encode(turns[0]), chat.tokenizer.encode(turns[2])] as const;
        const { tokens } = play(chat, { messages, tools, asks, says });
        const text = chat.tokenizer.decodeWithSpecials(tokens);
        const block = "<think>\n\n</think>\n\n";
        expect(text.split(block)).toHaveLength(4);
        expect(`${text.replaceAll(block, "")}${block}`).toBe(chat.tokenizer.decodeWithSpecials(whole));
      }
    });

    test("takes no control token from any text of task or tools", () => {
      const { chat } = opened.at(-1)!;
      const specials = [...chat.tokenizer.controlIds].map((id) => chat.tokenizer.decodeWithSpecials([id]));
      const text = fc
        .array(fc.oneof(fc.constantFrom(...specials), fc.constantFrom("a", "<|", "|>", "\n", '"', " ")), {
          maxLength: 5,
        })
        .map((words) => `x${words.join("")}x`);
      const offered = opened.some(({ vector }) => vector.tools);
      const episode = (texts: readonly string[]): Episode => {
        const [system, user, ask, again, name, about, key] = texts as [
          string,
          string,
          string,
          string,
          string,
          string,
          string,
        ];
        const schema = {
          type: "object",
          properties: { [key]: { type: "string", enum: [about] } },
          required: [key],
        };
        return {
          messages: [
            { role: "system", content: system },
            { role: "user", content: user },
          ],
          tools: offered
            ? [{ type: "function", function: { name, description: about, parameters: schema } }]
            : null,
          asks: [ask, again],
          says: [chat.tokenizer.encode("a"), chat.tokenizer.encode("a")],
        };
      };
      const controls = (texts: readonly string[]) =>
        play(chat, episode(texts)).tokens.filter((id) => chat.tokenizer.controlIds.has(id));
      const own = controls(Array(7).fill("x"));
      expect(own.length).toBeGreaterThan(6);
      fc.assert(
        fc.property(fc.array(text, { minLength: 7, maxLength: 7 }), (texts) => {
          expect(controls(texts)).toEqual(own);
        }),
      );
    });
  });

  test("has tools or refuses them", async () => {
    const tools = [{ type: "function" as const, function: { name: "f" } }];
    const chat = await loadChat(folderOf("phi-3.5-mini-instruct"));
    expect(() => chat.start([{ role: "user", content: "a" }], tools)).toThrow(
      /must write the tools, leaves out "f"/,
    );
  });

  test("of Qwen2.5 has its default system prompt once", async () => {
    const chat = await loadChat(folderOf("qwen2.5-instruct"));
    const says = [chat.tokenizer.encode("a"), chat.tokenizer.encode("b")] as const;
    const { tokens } = play(chat, {
      messages: [{ role: "user", content: "q" }],
      asks: ["why", "again"],
      says,
    });
    expect(chat.tokenizer.decodeWithSpecials(tokens).split("You are Qwen")).toHaveLength(2);
  });

  test("of Qwen3 keeps the think blocks that the model wrote, which its template would cut out", async () => {
    const chat = await loadChat(folderOf("qwen3"));
    const words = chat.tokenizer.encodeTemplate("<think>\nhm\n</think>\n\n7");
    const says = [words, words] as const;
    const { tokens } = play(chat, {
      messages: [{ role: "user", content: "q" }],
      asks: ["why", "again"],
      says,
    });
    expect(chat.tokenizer.decodeWithSpecials(tokens)).toBe(
      "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\n7<|im_end|>\n" +
        "<|im_start|>user\nwhy<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\n7<|im_end|>\n" +
        "<|im_start|>user\nagain<|im_end|>\n<|im_start|>assistant\n",
    );
  });
});
