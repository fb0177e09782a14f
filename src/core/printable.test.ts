import { expect, test } from "vitest";
import { printable, printableJson } from "./printable.ts";

const HOSTILE = "a\u001b[31m\u009b1m\u007f\n\tü";

test("a text for a terminal keeps line breaks and tabs, and no other control character", () => {
  expect(printable(HOSTILE)).toBe("a\uFFFD[31m\uFFFD1m\uFFFD\n\tü");
});

test("JSON for a terminal holds no control character but its own line breaks, and means the same", () => {
  const value = { [HOSTILE]: [HOSTILE] };
  const text = printableJson(value, 2);
  expect(text).not.toMatch(/(?!\n)\p{Cc}/u);
  expect(text.split("\n")).toHaveLength(5);
  expect(JSON.parse(text)).toEqual(value);
});
