import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Split } from "../../core/task.ts";
import { type FunctionCallingRow, generateFunctionCalls, type ToolCall, type ToolSpec } from "./generate.ts";
import {
  functionCallAnswer,
  functionCalling,
  functionCallingPrompt,
  leaksCall,
  verifyFunctionCall,
} from "./task.ts";

const parameter = { description: "", type: "str" };
const row: FunctionCallingRow = {
  id: "1",
  query: "set lamo with dist 12 and name cat",
  tools: JSON.stringify([
    { name: "lamo", description: "", parameters: { dist: parameter, name: parameter } },
    { name: "biru", description: "", parameters: { x: parameter } },
  ]),
  answers: JSON.stringify([{ name: "lamo", arguments: { dist: 12, name: "cat" } }]),
};

test("the prompt lists the signatures, then the query", () => {
  expect(functionCallingPrompt(row)).toBe(
    "tools: lamo(dist,name) biru(x)\nset lamo with dist 12 and name cat",
  );
  expect(functionCallAnswer(row)).toBe("lamo(dist=12,name=cat)");
});

describe("an answer is compared exactly, but for order and spaces:", () => {
  test.each([
    ["lamo(dist=12,name=cat)", "solved"],
    [" lamo ( name = cat , dist = 12 ) ", "solved"],
    ["biru(dist=12,name=cat)", "wrong tool: biru, not lamo"],
    ["lamo(dist=12)", "wrong slots: dist=12, not dist=12,name=cat"],
    ["lamo(dist=12,name=dog)", "wrong slots: dist=12,name=dog, not dist=12,name=cat"],
    ["lamo(dist=12,name=cat,x=1)", "wrong slots: dist=12,name=cat,x=1, not dist=12,name=cat"],
    ["lamo(dist=12,dist=12,name=cat)", "no call: it must look like tool(slot=value)"],
    ["lamo(dist=12,name=cat", "no call: it must look like tool(slot=value)"],
    ["lamo(dist=12,name=cat) biru(x=1)", "no call: it must look like tool(slot=value)"],
    ["lamo()", "no call: it must look like tool(slot=value)"],
  ])("%s: %s", (answer, expected) => {
    const verdict = verifyFunctionCall(`<answer>${answer}</answer>`, row);
    expect(verdict.kind === "failed" ? verdict.feedback : verdict.kind).toBe(expected);
  });

  test("no answer at all", () => {
    expect(verifyFunctionCall("lamo(dist=12,name=cat)", row).kind).toBe("failed");
  });
});

test("a reflection leaks when it writes the call out, in any order", () => {
  expect(leaksCall("say lamo(name=cat, dist=12) next time", row)).toBe(true);
  expect(leaksCall("use lamo, not biru. dist is 12", row)).toBe(false);
});

test("generated rows can be answered from what the prompt says", () => {
  const rows = generateFunctionCalls({ count: 300, seed: 1 });
  expect(new Set(rows.map(({ id }) => id)).size).toBe(300);
  for (const it of rows) {
    const tools = JSON.parse(it.tools) as ToolSpec[];
    const [call] = JSON.parse(it.answers) as [ToolCall];
    const tool = tools.find(({ name }) => name === call.name);
    expect(tools.length >= 2 && tools.length <= 4).toBe(true);
    expect(Object.keys(tool!.parameters)).toEqual(Object.keys(call.arguments));
    for (const [slot, value] of Object.entries(call.arguments))
      expect(it.query).toContain(`${slot} ${value}`);
    const names = tools.flatMap(({ name, parameters }) => [name, ...Object.keys(parameters)]);
    expect(new Set(names).size).toBe(names.length);
    expect(verifyFunctionCall(`<answer>${functionCallAnswer(it)}</answer>`, it).kind).toBe("solved");
  }
});

test("some queries name no tool, some mention a slot that does not belong", () => {
  const rows = generateFunctionCalls({ count: 200, seed: 2 });
  const called = (it: FunctionCallingRow) => (JSON.parse(it.answers) as [ToolCall])[0];
  const foreign = (it: FunctionCallingRow) =>
    (JSON.parse(it.tools) as ToolSpec[])
      .filter(({ name }) => name !== called(it).name)
      .some(({ parameters }) => Object.keys(parameters).some((slot) => it.query.includes(`${slot} `)));
  expect(rows.filter((it) => !it.query.includes(called(it).name)).length).toBeGreaterThan(20);
  expect(rows.filter(foreign).length).toBeGreaterThan(20);
});

test("the splits call different tools, and repeat", async () => {
  const options = { train: 100, validation: 50, test: 50 };
  const toolsOf = async (split: Split) =>
    (await functionCalling(options).problems(split)).map(
      ({ row: it }) => (JSON.parse(it.answers) as [ToolCall])[0].name,
    );
  const [train, held] = [await toolsOf("train"), await toolsOf("test")];
  expect(train).toHaveLength(100);
  expect(held.some((name) => train.includes(name))).toBe(false);
  expect(await toolsOf("test")).toEqual(held);
});

test("for any text, answers and does not throw", () => {
  const pieces = fc.array(
    fc.constantFrom("<answer>", "</answer>", "lamo", "(", ")", "=", ",", "dist", "12", " "),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        pieces.map((it) => it.join("")),
      ),
      (text) => {
        expect(["solved", "failed"]).toContain(verifyFunctionCall(text, row).kind);
        expect(typeof leaksCall(text, row)).toBe("boolean");
      },
    ),
  );
  const start = performance.now();
  for (const piece of ["a", "a(", "(", " ", "<answer>a(</answer>"]) {
    verifyFunctionCall(`<answer>${piece.repeat(1e5)}</answer>`, row);
    leaksCall(piece.repeat(1e5), row);
  }
  expect(performance.now() - start).toBeLessThan(1000);
});
