import { describe, expect, test } from "vitest";
import { formatPercent, renderMarkdown, renderText, type TableRow } from "./table.ts";

const nothing = { estimate: Number.NaN, low: Number.NaN, high: Number.NaN };
const rows: TableRow[] = [
  { name: "first try", start: 0.2534, trained: 0.33, gain: { estimate: 0.0766, low: -0.0212, high: 0.2 } },
  { name: "a | b", start: 0.5, trained: 0.5, gain: { estimate: -0.0001, low: -0.05, high: 0.0001 } },
  {
    name: "tokens",
    start: 14.26,
    trained: 9,
    gain: { estimate: -5.26, low: -6, high: -4.5 },
    unit: "number",
  },
  { name: "leaking", start: 0.1, trained: Number.NaN, gain: nothing },
];

describe("renderText", () => {
  test("aligns names to the left and numbers to the right", () => {
    expect(renderText(rows)).toBe(
      [
        "            start  trained  gain  95 % interval",
        "-----------------------------------------------",
        "first try  25.3 %   33.0 %  +7.7  [-2.1, +20.0]",
        "a | b      50.0 %   50.0 %   0.0    [-5.0, 0.0]",
        "tokens       14.3      9.0  -5.3   [-6.0, -4.5]",
        "leaking    10.0 %        –     –              –",
      ].join("\n"),
    );
  });
});

describe("renderMarkdown", () => {
  test("writes a table that a bar in a name cannot break", () => {
    expect(renderMarkdown(rows)).toBe(
      [
        "|  | start | trained | gain | 95 % interval |",
        "| :-- | --: | --: | --: | --: |",
        "| first try | 25.3 % | 33.0 % | +7.7 | [-2.1, +20.0] |",
        "| a \\| b | 50.0 % | 50.0 % | 0.0 | [-5.0, 0.0] |",
        "| tokens | 14.3 | 9.0 | -5.3 | [-6.0, -4.5] |",
        "| leaking | 10.0 % | – | – | – |",
      ].join("\n"),
    );
  });
});

test("formatPercent never writes a signed zero", () => {
  expect(formatPercent(-0.0001)).toBe("0.0 %");
  expect(formatPercent(1)).toBe("100.0 %");
  expect(formatPercent(Number.NaN)).toBe("–");
});
