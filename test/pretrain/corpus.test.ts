import { expect, test } from "vitest";
import { dialogue, encodeDialogue } from "../../pretrain/corpus.ts";
import { assistant, corpusDefaults, kinds, user } from "../../pretrain/dialogue.ts";
import { assistantId, encodeText, endId, userId } from "../../pretrain/tokenizer.ts";

const dialogues = Array.from({ length: 10_000 }, (_, index) => dialogue(3, index));

test("a dialogue depends on its seed and index alone", () => {
  expect(dialogue(3, 1234)).toEqual(dialogues[1234]);
  expect(dialogue(4, 1234)).not.toEqual(dialogues[1234]);
  const texts = new Set(dialogues.map((it) => JSON.stringify(it)));
  expect(texts.size).toBeGreaterThan(9800);
});

test("the kinds of task come in the given shares", () => {
  for (const kind of kinds) {
    const share = dialogues.filter((it) => it.kind === kind).length / dialogues.length;
    expect(Math.abs(share - corpusDefaults.kinds[kind])).toBeLessThan(0.015);
  }
});

test("turns alternate from user to assistant, and what users say weighs only where it repeats the question", () => {
  const odd = dialogues.filter(
    ({ turns }) =>
      turns.length % 2 === 1 ||
      turns.some(({ role, text, weight }, i) => {
        const speaker = i % 2 === 0 ? "user" : "assistant";
        const isRepeated = i > 0 && text === turns[0]!.text;
        return role !== speaker || weight > 0 !== (speaker === "assistant" || isRepeated);
      }),
  );
  expect(odd).toEqual([]);
});

test("first attempts fail as often as they should, however long dialogues may be", () => {
  for (const kind of kinds) {
    const ofKind = dialogues.filter((it) => it.kind === kind);
    const share = ofKind.filter(({ turns }) => turns.length === 2).length / ofKind.length;
    expect(Math.abs(share - corpusDefaults.right[kind])).toBeLessThan(0.04);
  }
});

test("an impossible length is refused", () => {
  expect(() => dialogue(0, 0, { ...corpusDefaults, maxTokens: 5 })).toThrow("fits in 5 tokens");
});

test("no dialogue is longer than 192 tokens", () => {
  expect(Math.max(...dialogues.map((it) => encodeDialogue(it).tokens.length))).toBeLessThanOrEqual(192);
});

test("weights stand on the assistant's words and the end of its turn, not on prompts and role tokens", () => {
  const turns = [user("make 5"), assistant("2+3", 0.5), user("wrong. reflect"), assistant("try ")];
  const [make, five] = encodeText("make 5");
  const [reflect] = encodeText("wrong. reflect");
  const [hint] = encodeText("try ");
  expect(encodeDialogue({ kind: "countdown", turns })).toEqual({
    tokens: Int32Array.from([
      ...[userId, make!, five!, endId],
      ...[assistantId, ...encodeText("2+3"), endId],
      ...[userId, reflect!, endId],
      ...[assistantId, hint!, endId],
    ]),
    weights: Float32Array.from([0, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0, 1, 1]),
  });
});
