/**
 * Reads the import lines of src/ and enforces who may import whom. A file's module is the longest name of the table
 * that its path starts with. Tests and their kits may import what they like, but nothing imports them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const { dirname, join, normalize } = posix;

/** Beside itself and core, a module imports only what stands in its list. */
const ALLOWED: Record<string, readonly string[]> = {
  core: [],
  text: [],
  verify: [],
  learn: [],
  store: [],
  graph: [],
  hub: [],
  log: [],
  model: ["graph"],
  "engine/contract": [],
  "engine/local": ["engine/contract", "model", "graph"],
  engine: ["engine/contract", "engine/local"],
  tasks: ["verify", "text", "hub"],
  loop: ["engine/contract", "verify", "text"],
  evaluate: ["loop", "learn", "engine/contract", "store"],
  report: ["evaluate", "store", "text"],
  train: [
    "evaluate",
    "loop",
    "learn",
    "tasks",
    "verify",
    "engine",
    "engine/contract",
    "engine/local",
    "store",
    "hub",
    "log",
  ],
  cli: ["train", "evaluate", "report", "tasks", "store", "engine"],
  index: [
    ...["text", "verify", "learn", "store", "graph", "model", "engine", "engine/contract", "engine/local"],
    ...["tasks", "loop", "evaluate", "report", "train", "hub"],
  ],
};

type Sources = ReadonlyMap<string, string>;

const STATIC = /^\s*(?:import|export)\b(?:[^;"'`]*?\bfrom)?\s*["']([^"']+)["']/gm;
const DYNAMIC = /\bimport\(\s*["']([^"']+)["']/g;
const isTest = (path: string) => /\.test\.(kit\.)?ts$/.test(path);

function importsOf(source: string): string[] {
  return [...source.matchAll(STATIC), ...source.matchAll(DYNAMIC)].map((match) => match[1]!);
}

function moduleOf(path: string): string | undefined {
  const name = path.replace(/^src\//, "").replace(/\.ts$/, "");
  return Object.keys(ALLOWED)
    .filter((module) => name === module || name.startsWith(`${module}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** One sentence per broken rule. Optional peers may be lacking: nothing but a call may import them. */
function violations(
  sources: Sources,
  dependencies: readonly string[],
  peers: readonly string[] = [],
): string[] {
  const found: string[] = [];
  for (const [path, source] of sources) {
    const from = moduleOf(path);
    if (from === undefined) found.push(`${path}: belongs to no module of the table`);
    for (const specifier of importsOf(source)) {
      const broken = (rule: string) => found.push(`${path}: "${specifier}" ${rule}`);
      if (!specifier.startsWith(".")) {
        const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
        const isEager = [...source.matchAll(STATIC)].some((match) => match[1] === specifier);
        if (peers.includes(name)) {
          if (isEager) broken("is an optional peer, to be imported by a call");
          continue;
        }
        if (!isBuiltin(specifier) && !dependencies.includes(name) && !isTest(path)) {
          broken("is not among the dependencies of package.json");
        }
        continue;
      }
      const target = normalize(join(dirname(path), specifier));
      if (!specifier.endsWith(".ts")) broken("must end in .ts");
      else if (isTest(path)) continue;
      else if (!target.startsWith("src/")) broken("leaves src");
      else if (isTest(target)) broken("is a test");
      else {
        const to = moduleOf(target);
        if (from && to && to !== from && to !== "core" && !ALLOWED[from]!.includes(to)) {
          broken(`is forbidden: ${from} may import ${["core", ...ALLOWED[from]!].join(", ")}`);
        }
      }
    }
  }
  return found;
}

/** The first cycle of files that import each other, or undefined. */
function cycleIn(sources: Sources): string[] | undefined {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const specifier of importsOf(sources.get(path) ?? "")) {
      if (!specifier.startsWith(".")) continue;
      const cycle = visit(normalize(join(dirname(path), specifier)), [...trail, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of sources.keys()) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}

const root = fileURLToPath(new URL("..", import.meta.url));

function readSources(): Sources {
  const paths = (readdirSync(`${root}src`, { recursive: true }) as string[])
    .map((path) => `src/${path.replaceAll(sep, "/")}`)
    .filter((path) => path.endsWith(".ts"));
  return new Map(paths.map((path) => [path, readFileSync(root + path, "utf8")]));
}

test("src keeps to the table", () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  const allowed = [...Object.keys(dependencies), "vitest", "fast-check"];
  expect(violations(readSources(), allowed, Object.keys(peerDependencies))).toEqual([]);
});

test("no files of src import each other in a cycle", () => {
  expect(cycleIn(readSources())).toBeUndefined();
});

test("the table itself has no cycle", () => {
  const arrows = Object.entries(ALLOWED).map(([from, to]): [string, string] => [
    `src/${from}.ts`,
    to.map((name) => `import "./${"../".repeat(from.split("/").length - 1)}${name}.ts";`).join("\n"),
  ]);
  expect(cycleIn(new Map(arrows))).toBeUndefined();
});

describe("the rules can fail", () => {
  const check = (path: string, line: string) => violations(new Map([[path, line]]), ["zod"], ["@x/peer"]);

  test.each([
    [
      "src/learn/a.ts",
      'import { b } from "../engine/local/engine.ts";',
      /is forbidden: learn may import core$/,
    ],
    ["src/learn/a.ts", 'import type { Loss } from "../engine/contract.ts";', /is forbidden/],
    ["src/loop/a.ts", 'import {\n  b,\n  c,\n} from "../engine/local/engine.ts";', /is forbidden/],
    ["src/text/a.ts", 'export * from "../engine/contract.ts";', /is forbidden/],
    ["src/text/a.ts", 'const b = await import("../engine/contract.ts");', /is forbidden/],
    ["src/core/a.ts", 'import "../engine/contract.ts";', /is forbidden: core may import core$/],
    ["src/loop/a.ts", 'import { b } from "../core/rng.js";', /must end in .ts$/],
    ["src/loop/a.ts", 'import { b } from "../core/rng";', /must end in .ts$/],
    ["src/loop/a.ts", 'import { b } from "../../test/b.ts";', /leaves src$/],
    ["src/model/a.ts", 'import { b } from "./decoder.test.kit.ts";', /is a test$/],
    ["src/loop/a.ts", 'import { b } from "lodash";', /is not among the dependencies/],
    ["src/hub/a.ts", 'import { b } from "@x/peer";', /is an optional peer/],
    ["src/misc/a.ts", "", /belongs to no module/],
  ])("%s: %s", (path, line, message) => {
    expect(check(path, line)).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    ["src/loop/a.ts", 'import type { Loss } from "../engine/contract.ts";'],
    ["src/loop/a.ts", 'import { z } from "zod";\nimport { join } from "node:path";'],
    ["src/hub/a.ts", 'const { b } = await import("@x/peer");'],
    ["src/loop/a.ts", '/**\n * import { b } from "mulligan";\n */'],
    ["src/learn/a.test.ts", 'import { b } from "../engine/local/engine.ts";'],
  ])("and pass: %s: %s", (path, line) => {
    expect(check(path, line)).toEqual([]);
  });

  test("a cycle through three files is found", () => {
    const sources = new Map([
      ["src/loop/a.ts", 'import "./b.ts";'],
      ["src/loop/b.ts", 'import type { C } from "./c.ts";'],
      ["src/loop/c.ts", 'export { a } from "./a.ts";'],
    ]);
    expect(cycleIn(sources)).toEqual(["src/loop/a.ts", "src/loop/b.ts", "src/loop/c.ts", "src/loop/a.ts"]);
  });
});
