import { describe, expect, test } from "vitest";
import { parseLiteral } from "../../verify/calls/literal.ts";
import { CATALOG } from "./catalog.ts";
import { rowFromXlam } from "./formats.ts";
import { generateToolCalls, type XlamRow } from "./generate.ts";
import { goldAnswer } from "./row.ts";
import { verifyToolCalls } from "./task.ts";

const rows = generateToolCalls({ count: 400, seed: 1 });
const callsOf = ({ answers }: XlamRow) =>
  JSON.parse(answers) as { name: string; arguments: Record<string, unknown> }[];
const toolsOf = ({ tools }: XlamRow) =>
  JSON.parse(tools) as { name: string; parameters: Record<string, { type: string; default?: unknown }> }[];

describe("the catalog", () => {
  test.each(CATALOG.map((tool) => [tool.name, tool] as const))(
    "%s says every argument in its requests",
    (_, tool) => {
      const required = Object.keys(tool.parameters).filter(
        (name) => tool.parameters[name]!.default === undefined,
      );
      for (const request of tool.requests) {
        for (const name of required) expect(request).toContain(`{${name}}`);
        expect(request).toMatch(/^[A-Z].*[.?]$/);
      }
      for (const [name, words] of Object.entries(tool.additions ?? {})) {
        expect(required).not.toContain(name);
        if (!/^bool/.test(tool.parameters[name]!.type)) expect(words).toContain(`{${name}}`);
      }
    },
  );
});

describe("generated rows", () => {
  test("differ, and row i depends on the seed and i alone", () => {
    expect(new Set(rows.map(({ query }) => query)).size).toBe(400);
    expect(generateToolCalls({ count: 50, seed: 1 })).toEqual(rows.slice(0, 50));
    expect(generateToolCalls({ count: 50, seed: 2 })).not.toEqual(rows.slice(0, 50));
  });

  test("say every value that the answer holds, and call only tools on offer", () => {
    for (const row of rows) {
      const tools = new Map(toolsOf(row).map((tool) => [tool.name, tool]));
      expect(tools.size).toBe(toolsOf(row).length);
      for (const call of callsOf(row)) {
        const { parameters } = tools.get(call.name)!;
        const required = Object.keys(parameters).filter((name) => parameters[name]!.default === undefined);
        expect(Object.keys(call.arguments)).toEqual(expect.arrayContaining(required));
        for (const [name, value] of Object.entries(call.arguments)) {
          expect(parameters[name]).toBeDefined();
          if (typeof value === "boolean") continue;
          for (const item of [value].flat()) {
            expect(row.query.toLowerCase()).toContain(String(item).toLowerCase());
          }
        }
      }
    }
  });

  test("are of every kind: one tool, a choice, several calls of one tool or of more", () => {
    const count = (holds: (row: XlamRow) => boolean) => rows.filter(holds).length;
    expect(count((row) => toolsOf(row).length === 1)).toBeGreaterThan(20);
    expect(count((row) => callsOf(row).length === 1 && toolsOf(row).length > 1)).toBeGreaterThan(100);
    expect(count((row) => callsOf(row).length > 1)).toBeGreaterThan(80);
    const names = (row: XlamRow) => new Set(callsOf(row).map(({ name }) => name)).size;
    expect(count((row) => callsOf(row).length > 1 && names(row) === 1)).toBeGreaterThan(20);
    expect(count((row) => names(row) > 1)).toBeGreaterThan(20);
    expect(new Set(rows.flatMap((row) => callsOf(row).map(({ name }) => name))).size).toBe(CATALOG.length);
  });

  test("read like the real file, and their own answers pass", () => {
    for (const [index, row] of rows.entries()) {
      const read = rowFromXlam(new Map(Object.entries(row)), index);
      expect(parseLiteral(read.answers)).toEqual(parseLiteral(row.answers));
      expect(verifyToolCalls(goldAnswer(read), read)).toEqual({ kind: "solved" });
    }
  });

  test("run out with a message", () => {
    expect(() => generateToolCalls({ count: 1, seed: 0, exclude: () => true })).toThrow(
      /only 0 could be made/,
    );
  });
});
