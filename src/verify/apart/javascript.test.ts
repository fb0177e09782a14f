/** Code as a model might write it, by mistake or not, in the process and sandbox that a run would use. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Verdict } from "../../core/task.ts";
import { type OpenTask, openTask } from "../../tasks/open-task.ts";
import { verifyJavaScript } from "./javascript.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

let folder: string;
let opened: OpenTask;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "javascript-"));
  const path = join(folder, "task.ts");
  await writeFile(
    path,
    `import { defineTask, verifyJavaScript } from "mulligan";
     export default defineTask({
       rows: ["a"], prompt: String,
       verify: (code, { tests }) => verifyJavaScript(code, tests, { timeoutMs: 300 }),
     });`,
  );
  const verifier = { ...DEFAULT_LIMITS, timeoutMs: 3000, workers: 1, maxUnscoredFraction: 1 };
  opened = await openTask(path, { verifier });
});
afterAll(async () => {
  await opened.close();
  await rm(folder, { recursive: true });
});

const judge = (code: string, ...tests: string[]) => opened.task.verify(code, { tests }) as Promise<Verdict>;
const failed = (feedback: RegExp) => ({ kind: "failed", feedback: expect.stringMatching(feedback) });

describe("code is judged by tests that must be true:", () => {
  test.each([
    ["function add(a, b) { return a + b; }", ["add(1, 2) === 3", "add(-1, 1) === 0"], { kind: "solved" }],
    [
      "const add = (a, b) => a - b;",
      ["add(1, 0) === 1", "add(1, 2) === 3"],
      failed(/^test 2, add\(1, 2\) === 3, is not true$/),
    ],
    ["const add = 3;", ["add(1, 2) === 3"], failed(/^test 1, .*, threw: not a function$/)],
    ["const add = (a, b => a;", ["true"], failed(/^the code threw: /)],
    ["throw new Error('no')", ["true"], failed(/^the code threw: no$/)],
    ["throw null", ["true"], failed(/^the code threw: what is no error/)],
    ["const one = () => 1;", ["one()"], failed(/is not true$/)],
    ["const ok = () => ({ valueOf: () => true });", ["ok()"], failed(/is not true$/)],
    ["const later = async () => true;", ["later()"], failed(/is not true$/)],
    ["", ["typeof add === 'undefined'"], { kind: "solved" }],
    ["x".repeat(70_000), [], failed(/^the code/)],
  ])("%s", async (code, tests, verdict) => {
    expect(await judge(code, ...tests)).toEqual(verdict);
  });

  test("one answer's code leaves nothing for the next", async () => {
    await judge("globalThis.left = 1; Array.prototype.includes = () => true; Object.prototype.polluted = 1;");
    expect(
      await judge("", "typeof left === 'undefined'", "![1].includes(2)", "({}).polluted === undefined"),
    ).toEqual({
      kind: "solved",
    });
  });
});

describe("nothing leads out:", () => {
  const NAMES = [
    "process",
    "require",
    "module",
    "fetch",
    "Buffer",
    "setTimeout",
    "WebAssembly",
    "std",
    "os",
    "console",
  ];
  test.each(NAMES)("%s is not there", async (name) => {
    expect(await judge("", `typeof ${name} === "undefined"`, `globalThis.${name} === undefined`)).toEqual({
      kind: "solved",
    });
  });

  test.each([
    ["the Function constructor", 'this.constructor.constructor("return typeof process")() === "undefined"'],
    [
      "its generator kind",
      '(function*(){}).constructor("return 1")().next().value === 1 && typeof process === "undefined"',
    ],
    ["an error's stack", "!/node:|file:|\\/work|\\.wasm/.test(new Error('x').stack ?? '')"],
    [
      "a prepared stack",
      '(Error.prepareStackTrace = (e, s) => s, typeof new Error("x").stack !== "object" || !new Error("x").stack[0]?.getThis?.()?.process)',
    ],
    [
      "the global object's prototypes",
      "Object.getOwnPropertyNames(globalThis).every((name) => !/process|require|fetch|host/i.test(name))",
    ],
  ])("%s", async (_, expression) => {
    expect(await judge("", expression)).toEqual({ kind: "solved" });
  });

  test("imports find no module", async () => {
    expect(await judge('import fs from "node:fs"', "true")).toMatchObject({ kind: "failed" });
    expect(
      await judge('let found = false; import("node:fs").then(() => { found = true; });', "found"),
    ).toMatchObject({
      kind: "failed",
    });
  });
});

describe("a bomb fails its answer, soon:", () => {
  test.each([
    ["a loop", "for (;;) {}"],
    ["a loop in a test", "const f = () => { for (;;) {} };", "f()"],
    ["a catastrophic regular expression", '/^(a+)+$/.test("a".repeat(40) + "!")'],
    ["recursion", "const f = () => f() + 1; f()"],
    ["recursion through a proxy", "const p = new Proxy({}, { get: (t, k, r) => r[k] }); p.x"],
    ["a text that doubles", 'let s = "a"; for (;;) s += s'],
    ["a long repetition", '"x".repeat(2 ** 30 - 1)'],
    ["a list that grows", "const list = []; for (;;) list.push([1, 2, 3])"],
    ["a list of a milliard", "new Array(1e9).fill(0)"],
    ["a gigabyte of typed arrays", "const kept = []; for (;;) kept.push(new Uint8Array(2 ** 24).fill(1))"],
    ["an endless spread", "[...(function* () { for (;;) yield 1 })()]"],
    ["a huge power", "2n ** (2n ** 40n)"],
    ["deep nesting in JSON", "let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; JSON.stringify(o)"],
    ["deep nesting in source", 'eval("(".repeat(1e5))'],
    ["a sort that never answers", "[3, 1, 2].sort(() => { for (;;); })"],
  ])("%s", async (_, code, ...tests) => {
    const began = performance.now();
    expect(await judge(code, ...tests)).toMatchObject({ kind: "failed" });
    expect(performance.now() - began).toBeLessThan(3000);
    expect(await judge("const one = 1", "one === 1")).toEqual({ kind: "solved" });
  });

  test("a slow step inside the sandbox, which it cannot interrupt, ends with the process, unscored", async () => {
    expect(await judge('Array(2 ** 32 - 1).join("x")')).toEqual({
      kind: "unscored",
      cause: "the verifier took longer than 3000 ms",
    });
    expect(await judge("const one = 1", "one === 1")).toEqual({ kind: "solved" });
  });
});

test("it refuses to run in any other process", async () => {
  await expect(verifyJavaScript("1", [])).rejects.toMatchObject({
    code: "task",
    message: expect.stringMatching(/must run in a verifier's process/),
  });
});
