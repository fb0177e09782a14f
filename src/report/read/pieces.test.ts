import { expect, test } from "vitest";
import { loadTokenizer } from "../../text/tokenizer.ts";
import { piecesOf } from "./pieces.ts";

const logprobsOf = (tokens: readonly number[]) => tokens.map((_, t) => -(t + 1));

test("gives each token its text, and joined they are the decoded text", async () => {
  const tokenizer = await loadTokenizer("models/mini");
  const tokens = [...tokenizer.encode("try 18-4=14 first"), ...tokenizer.encodeTemplate("<|end|>")];
  const pieces = piecesOf({ tokens, logprobs: logprobsOf(tokens) }, tokenizer.decodeWithSpecials);
  expect(pieces.map(({ text }) => text).join("")).toBe("try 18-4=14 first<|end|>");
  expect(pieces).toHaveLength(tokens.length);
  expect(pieces.at(-1)).toEqual({ text: "<|end|>", logprob: -tokens.length });
});

/** A decoder of bytes, as byte-level vocabularies have: what is cut inside a character is U+FFFD. */
const bytes = (tokens: readonly number[]) => new TextDecoder().decode(Uint8Array.from(tokens));

test("makes one piece of tokens that share a character, with their log-probabilities together", () => {
  const tokens = [...new TextEncoder().encode("a€b")]; // € is three bytes
  expect(piecesOf({ tokens, logprobs: logprobsOf(tokens) }, bytes)).toEqual([
    { text: "a", logprob: -1 },
    { text: "€", logprob: -2 - 3 - 4 },
    { text: "b", logprob: -5 },
  ]);
});

test("shows a character that was never finished", () => {
  const tokens = [...new TextEncoder().encode("a€")].slice(0, 3);
  expect(piecesOf({ tokens, logprobs: logprobsOf(tokens) }, bytes)).toEqual([
    { text: "a", logprob: -1 },
    { text: "\uFFFD", logprob: -5 },
  ]);
});

test("keeps the space of a decoder that strips the first one", () => {
  const words = ["", " one", " two"];
  const decode = (tokens: readonly number[]) =>
    tokens
      .map((id) => words[id])
      .join("")
      .trimStart();
  const pieces = piecesOf({ tokens: [1, 2], logprobs: [-1, -2] }, decode);
  expect(pieces.map(({ text }) => text)).toEqual(["one", " two"]);
});
