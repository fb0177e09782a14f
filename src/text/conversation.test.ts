import { expect, test } from "vitest";
import { checkCovered, checkPrefix, createConversation, extendConversation } from "./conversation.ts";

const opened = createConversation([7, 8]);

test("adds a span for every part and leaves the shorter conversation as it was", () => {
  const attempted = extendConversation(opened, "attempt", Int32Array.of(9));
  expect(attempted).toEqual({
    tokens: [7, 8, 9],
    spans: [
      { part: "prompt", start: 0, end: 2 },
      { part: "attempt", start: 2, end: 3 },
    ],
  });
  expect(opened).toEqual({ tokens: [7, 8], spans: [{ part: "prompt", start: 0, end: 2 }] });
});

test("refuses two prompts or two sampled parts in a row", () => {
  expect(() => extendConversation(opened, "retry-prompt", [1])).toThrow(
    '"retry-prompt" must follow what the model wrote, got it after "prompt"',
  );
  const attempted = extendConversation(opened, "attempt", [9]);
  expect(() => extendConversation(attempted, "reflection", [1])).toThrow('"reflection" must follow a prompt');
});

test("refuses spans that do not cover the tokens, and says where", () => {
  const broken = { tokens: [7, 8, 9], spans: opened.spans };
  expect(() => extendConversation(broken, "attempt", [1])).toThrow('got "attempt" [3, 4) at 2');
  expect(() => checkCovered([7, 8, 9], opened.spans)).toThrow("must cover all 3 tokens, got the first 2");
});

test("refuses a conversation whose earlier tokens or spans differ", () => {
  expect(() => checkPrefix(opened, createConversation([7, 6, 5]))).toThrow("got 6 for 8 at 1");
  expect(() => checkPrefix(opened, createConversation([7]))).toThrow("got undefined for 8 at 1");
  expect(() => checkPrefix(opened, createConversation([7, 8, 9]))).toThrow('span 0 "prompt" does not');
  checkPrefix(opened, extendConversation(opened, "attempt", [9]));
});
