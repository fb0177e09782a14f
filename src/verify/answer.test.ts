import { describe, expect, test } from "vitest";
import { lastAnswerTag, lastBoxed, lastCodeBlock } from "./answer.ts";

test.each([
  ["<answer>1+2</answer>", "1+2"],
  ["<answer> 1 </answer> no: <answer>2</answer> yes", " 2 "],
  ["<answer>1</answer> <answer>2", "1"],
  ["<answer>1</answer></answer>", "1"],
  ["<answer><answer>1</answer>", "1"],
  ["<answer></answer>", ""],
  ["<answer>1\n+2</answer>", "1\n+2"],
  ["</answer><answer>", undefined],
  ["<answer>1", undefined],
  ["<Answer>1</Answer>", undefined],
  ["", undefined],
])("lastAnswerTag(%j) is %j", (text, answer) => {
  expect(lastAnswerTag(text)?.trim()).toBe(answer?.trim());
});

test.each([
  ["so \\boxed{1+2}.", "1+2"],
  ["\\boxed{1} or \\boxed{2}", "2"],
  ["\\boxed{1} or \\boxed{2", "1"],
  ["\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
  ["\\boxed{\\boxed{3}}", "3"],
  ["\\boxed{\\{1\\}}", "\\{1\\}"],
  ["{{ \\boxed{1}", "1"],
  ["}} \\boxed{1}", "1"],
  ["boxed{1}", undefined],
  ["\\boxed", undefined],
  ["", undefined],
])("lastBoxed(%j) is %j", (text, answer) => {
  expect(lastBoxed(text)).toBe(answer);
});

describe("takes linear time on a million", () => {
  const million = 1_000_000;
  const seconds = (find: () => unknown) => {
    const start = performance.now();
    find();
    return (performance.now() - start) / 1000;
  };
  test.each(["<answer>", "</answer>", "<answer></answer>", "\\boxed{", "}", "{}", "\\"])("%s", (piece) => {
    const text = piece.repeat(million);
    expect(seconds(() => lastAnswerTag(text))).toBeLessThan(1);
    // the longest is 16 MB
    expect(seconds(() => lastBoxed(text))).toBeLessThan(3);
  });
});

test.each([
  ["```js\nf()\n```", "f()\n"],
  ["first:\n```\na\n```\nno:\n```javascript\nb\n```\ndone", "b\n"],
  ["```js\r\nf()\r\n```", "f()\r\n"],
  ["f()", "f()"],
  ["```js\nf()", "```js\nf()"],
  ["``````", ""],
  ["", ""],
])("the last code block of %j is %j", (text, code) => {
  expect(lastCodeBlock(text)).toBe(code);
});
