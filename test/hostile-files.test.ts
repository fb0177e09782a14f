/**
 * Files that mean harm, one test for each kind: lengths without bound, names that would reach an object's prototype, paths
 * that would leave their folder. Mutations at random are test/fuzz.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveConfig } from "../src/cli/config.ts";
import { MAX_JSON_DEPTH, parseJson } from "../src/core/json-file.ts";
import { tinyWeights } from "../src/engine/local/tiny.test.kit.ts";
import { pickFiles } from "../src/hub/model-files.ts";
import { loadModel, saveModel } from "../src/model/folder.ts";
import { loadAdapterConfig } from "../src/model/lora/folder.ts";
import { makeHeader } from "../src/model/safetensors-header.ts";
import { checkpointNamedIn } from "../src/store/checkpoints.ts";
import { verifyDigests } from "../src/store/digests.ts";
import { readStarts } from "../src/store/environment.ts";
import { latestCheckpoint, runFolderAt } from "../src/store/run-folder.ts";
import { whileLocked } from "../src/store/run-lock.ts";
import { readRows } from "../src/tasks/rows.ts";
import { loadToolCallingRows } from "../src/tasks/tool-calling/load.ts";
import { bfclFunctions } from "../src/tasks/tool-calling/row.ts";
import { loadChat } from "../src/text/chat.ts";
import { faultOfPattern, mayBeSlow } from "../src/text/pattern-check.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-hostile-"));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (name: string, value: unknown) =>
  writeFile(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));

type Json = Record<string, unknown>;

describe("lengths that a file asks for", () => {
  async function tokenizerWith(change: (json: { model: Json; added_tokens: Json[] } & Json) => void) {
    const json = JSON.parse(await readFile("models/mini/tokenizer.json", "utf8"));
    change(json);
    await write("tokenizer.json", json);
    return loadTokenizer(folder);
  }

  test("a text is cut into pieces of length 0 no more: it looped until memory ran out", async () => {
    const refused = tokenizerWith((json) => (json.pre_tokenizer = { type: "FixedLength", length: 0 }));
    await expect(refused).rejects.toThrow(/FixedLength.length must be a positive integer, got 0/);
  });

  test.each<[string, (json: { model: Json; added_tokens: Json[] } & Json) => void, RegExp]>([
    [
      "an id beyond any list",
      ({ model }) => ((model.vocab as Json).a = 2 ** 40),
      /from 0 to 2097151, got 1099511627776/,
    ],
    ["an id that is text", ({ model }) => ((model.vocab as Json).a = "1"), /a token's id must be .* got 1/],
    [
      "an added token's id",
      (json) => (json.added_tokens[0]!.id = 2 ** 33),
      /from 0 to 2097151, got 8589934592/,
    ],
    [
      "a merge of numbers",
      ({ model }) => (model.merges = [[1, 2]]),
      /model.merges must be texts "a b", or pairs/,
    ],
    ["an empty list as vocabulary", ({ model }) => (model.vocab = []), /model.vocab must map texts to ids/],
    [
      "an added token of 2,000 characters",
      (json) => (json.added_tokens[0]!.content = "x".repeat(2000)),
      /1024 characters, got 2000/,
    ],
    [
      "100 steps",
      (json) => (json.normalizer = Array(100).fill({ type: "NFC" })),
      /its steps must be at most 64, got 10/,
    ],
    [
      "a pattern that goes back for ever",
      (json) => (json.normalizer = { type: "Replace", pattern: { Regex: "(a+)+$" }, content: "" }),
      /the pattern of Replace cannot be used: it repeats a group/,
    ],
  ])("a tokenizer is refused for %s", async (_, change, message) => {
    await expect(tokenizerWith(change)).rejects.toThrow(message);
  });

  test("what the library cannot encode is an error of ours, not a token that is undefined", async () => {
    const tokenizer = await tokenizerWith(({ model }) => {
      model.type = "WordPiece";
      delete model.unk_token;
    });
    expect(() => tokenizer.encode("\u{1F3FF}")).toThrow(/tokenizer.json: has no token for part of a text/);
  });

  test.each([
    ["num_hidden_layers", 2 ** 40, /num_hidden_layers must be at most 1024/],
    ["vocab_size", 2 ** 53, /vocab_size must be/],
    ["intermediate_size", 2 ** 20, /tensor "model.layers.0.mlp.gate_proj.weight" has shape/],
  ])("a model's %s is checked before there is memory for it", async (field, value, message) => {
    await saveModel(folder, tinyWeights());
    const json = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
    await write("config.json", { ...json, [field]: value });
    const before = process.memoryUsage().arrayBuffers;
    await expect(loadModel(folder)).rejects.toThrow(message);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  test("a tensor of nine dimensions is refused", async () => {
    await saveModel(folder, tinyWeights());
    const header = makeHeader([{ name: "a", shape: Array(9).fill(1) }], "F32", {});
    await writeFile(join(folder, "model.safetensors"), Buffer.concat([header, Buffer.alloc(4)]));
    await expect(loadModel(folder)).rejects.toThrow(/tensor "a" has the shape \[1,1,1,1,1,1,1,1,1\]/);
  });

  test("JSON is refused where it is nested too deep, whatever stands in its texts", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseJson(nested(MAX_JSON_DEPTH))).toBeDefined();
    expect(() => parseJson(nested(MAX_JSON_DEPTH + 1))).toThrow(/nested at most 128 levels/);
    expect(() => parseJson(nested(100_000))).toThrow(/nested at most/);
    const text = ['["', "[".repeat(500), '\\\\", "\\"', "{".repeat(500), '"]'].join("");
    expect(parseJson(text)).toEqual([`${"[".repeat(500)}\\`, `"${"{".repeat(500)}`]);
  });

  test("a row that is nested too deep is named by its line: it ran out of stack later", async () => {
    await write("rows.jsonl", `{"q": 1}\n{"q": ${"[".repeat(5000)}${"]".repeat(5000)}}\n`);
    await expect(readRows(join(folder, "rows.jsonl"))).rejects.toMatchObject({
      code: "data",
      message: expect.stringMatching(/line 2: not JSON: must be nested at most/),
    });
  });

  test("a setting's name of a megabyte is refused at once: it was compared with every setting for minutes", () => {
    const start = performance.now();
    const values = { ["x".repeat(2 ** 20)]: 1 };
    expect(() => resolveConfig({ file: { path: "c.json", values } })).toThrow(/^x{4000}…$/);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test("a settings file of more than a megabyte is not read", async () => {
    await cp("models/mini", folder, { recursive: true });
    await write("config.json", " ".repeat(2 ** 20 + 1));
    await expect(loadModel(folder)).rejects.toThrow(/must have at most 1048576 bytes, got 1048577/);
  });

  test("files of a run that are larger than any run would write are not read", async () => {
    const run = runFolderAt(folder);
    await writeFile(run.environment, " ".repeat(2 ** 24 + 1));
    await expect(readStarts(run)).rejects.toThrow(/environment.json: .* must have at most 16777216 bytes/);
    const large = " ".repeat(2 ** 20 + 1);
    await write("digests.json", large);
    await expect(verifyDigests(folder, "")).rejects.toThrow(
      /digests.json: .* must have at most 1048576 bytes/,
    );
    await write("run.lock", large);
    await expect(whileLocked(folder, async () => {})).rejects.toThrow(/got a lock that cannot be read/);
    await write("best", large);
    expect(await checkpointNamedIn(run.best)).toBeUndefined();
  });

  test.skipIf(process.platform === "win32")(
    "a pipe in place of a file is refused, not waited for",
    async () => {
      await cp("models/mini", folder, { recursive: true });
      await rm(join(folder, "tokenizer.json"));
      execFileSync("mkfifo", [join(folder, "tokenizer.json")]);
      await expect(loadTokenizer(folder)).rejects.toThrow(/must be readable, got must be a file/);
    },
  );
});

test("a Parquet file that is damaged twice is refused: a second error, which nobody waited for, ended the process", async () => {
  const data = Array.from({ length: 12 }, (_, i) => `what is ${i}?`);
  const bytes = Buffer.from(
    parquetWriteBuffer({ columnData: ["id", "question"].map((name) => ({ name, data })) }),
  );
  bytes.write("questioN", bytes.lastIndexOf("question")); // a column that the schema lacks
  bytes[10] = 0xff; // in the first page of the other one
  await writeFile(join(folder, "rows.parquet"), bytes);
  const strays: unknown[] = [];
  const onStray = (error: unknown) => void strays.push(error);
  process.on("unhandledRejection", onStray);
  try {
    await expect(readRows(join(folder, "rows.parquet"))).rejects.toThrow(/rows.parquet: not Parquet: /);
    await new Promise(setImmediate);
  } finally {
    process.off("unhandledRejection", onStray);
  }
  expect(strays).toEqual([]);
});

describe("patterns of a tokenizer", () => {
  test.each([
    ["(a+)+$", "repeats a group"],
    ["(?:a|aa)*b", "repeats a group"],
    ["((a?)b)*", "repeats a group"],
    ["(a{2,5}){2,}", "repeats a group"],
    ["\\s*\\s*\\s*\\s*\\s*x", "more than 4 repetitions"],
    ["(a*b*)(c*d*e*)", "more than 4 repetitions"],
    [`${"a?".repeat(30)}${"a".repeat(30)}`, "more than 4096 ways"],
    ["(?:a|a)".repeat(30), "more than 4096 ways"],
    [`(${"(a?b?)".repeat(8)}|c)`, "more than 4096 ways"],
    ["a".repeat(70_000), "70000 characters"],
  ])("%s is refused", (pattern, fault) => {
    expect(faultOfPattern(pattern)).toContain(fault);
  });

  test.each([
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{M}]+(?i:'s|'t)?",
    // of GPT-4o: the most ways of all published ones
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{M}]*[\\p{Ll}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}",
    Array.from({ length: 5000 }, (_, i) => `w${i}`).join("|"),
    "\\d{1,3}(?=(?:\\d{3})*\\b)",
    "\\(a+\\)+[(b+)+]",
    " ?(a|b)?{",
  ])("%s passes", (pattern) => {
    expect(faultOfPattern(pattern)).toBeUndefined();
  });

  test.each([
    ["wrong\\. |<\\/answer>|[\\s\\S]", false],
    ["[a+*(]\\+\\(|b", false],
    ["b?", true],
    ["(?:c|d)", true],
    ["[[]|(a+)+$", true],
    ["a+", true],
    ["\\p{N}{1,3}", true],
    ["(?:ab)*", true],
    ["a".repeat(5000), true],
  ])("%s may be slow: %s", (pattern, isSlow) => {
    expect(mayBeSlow(pattern)).toBe(isSlow);
  });
});

describe("names that would reach a prototype", () => {
  const HARM = '{"polluted": 1, "maxSteps": 3}';
  afterEach(() => {
    expect("polluted" in {}).toBe(false);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test.each(["__proto__", "constructor", "prototype"])("a setting %s is one that nobody knows", (name) => {
    const values = JSON.parse(`{"${name}": ${HARM}}`);
    expect(() => resolveConfig({ file: { path: "c.json", values } })).toThrow(
      `${name}: unknown setting in c.json`,
    );
    const inner = JSON.parse(`{"eval": {"${name}": ${HARM}}}`);
    expect(() => resolveConfig({ file: { path: "c.json", values: inner } })).toThrow(/eval.*: /);
    expect(() => resolveConfig({ flags: { [name]: "1" } })).toThrow(`${name}: unknown setting`);
  });

  test.each(["taskOptions", "chatTemplateKwargs"])("%s stays an object of its own", (field) => {
    const values = JSON.parse(
      `{"${field}": {"__proto__": ${HARM}, "constructor": {"prototype": ${HARM}}, "a": 1}}`,
    );
    const config = resolveConfig({ file: { path: "c.json", values } }) as unknown as Record<string, Json>;
    expect(Object.getPrototypeOf(config[field])).toBe(Object.prototype);
    expect(config[field]!.a).toBe(1);
    expect(config[field]!.polluted).toBeUndefined();
  });

  test("a template sees such variables as any other", async () => {
    await cp("models/mini", folder, { recursive: true });
    const given = JSON.parse(`{"constructor": {"prototype": ${HARM}}, "a": {"__proto__": ${HARM}}}`);
    await write(
      "chat_template.jinja",
      `{{ a.polluted }}{{ messages.constructor }}${await readFile("models/mini/chat_template.jinja", "utf8")}`,
    );
    const chat = await loadChat(folder, given);
    expect(chat.tokenizer.decodeWithSpecials(chat.start([{ role: "user", content: "add: 1" }]).tokens)).toBe(
      "<|user|>add: 1<|end|><|assistant|>",
    );
  });

  test("a row keeps such columns to itself", async () => {
    await write("rows.jsonl", `{"__proto__": ${HARM}, "q": 1}\n`);
    await write("rows.json", `[{"__proto__": ${HARM}, "q": 1}]`);
    await write("rows.csv", "__proto__,constructor,q\n1,2,3\n");
    for (const name of ["rows.jsonl", "rows.json", "rows.csv"]) {
      const [row] = await readRows(join(folder, name));
      expect(row!.polluted, name).toBeUndefined();
      expect(Number(row!.q), name).toBeGreaterThan(0);
    }
  });

  test("a tool's parameters may have any name and any type", async () => {
    const parameters = JSON.parse(
      `{"type": "object", "properties": {"__proto__": {"type": "constructor"}, "b": {"type": "string"}}}`,
    );
    await write("rows.json", [
      {
        messages: [{ role: "user", content: "?" }],
        tools: [{ type: "function", function: { name: "f", parameters } }],
        answers: [{ name: "f", arguments: JSON.parse(`{"__proto__": 1}`) }],
      },
    ]);
    const [row] = await loadToolCallingRows(join(folder, "rows.json"));
    expect(Object.keys(Object(row!.tools[0]!.function.parameters!.properties))).toEqual(["__proto__", "b"]);
    expect(bfclFunctions(row!).get("f")!.parameters.get("__proto__")).toEqual({ type: "any" });
  });

  test.each(["__proto__", "constructor", "toString"])("adapter_config.json may not set %s", async (name) => {
    const fields = `"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": "all-linear"`;
    await write("adapter_config.json", `{${fields}, "${name}": ${HARM}}`);
    await expect(loadAdapterConfig(folder)).rejects.toThrow(/adapter_config.json: .*not supported/);
  });
});

describe("paths that would leave their folder", () => {
  const secret = () => join(folder, "secret");

  test.each(["../secret/model.safetensors", "/etc/passwd", "..", ".", "", "a\0b", "sub/model.safetensors"])(
    "an index that names %j is refused",
    async (name) => {
      const inside = join(folder, "model");
      await saveModel(inside, tinyWeights());
      await mkdir(secret());
      await cp(join(inside, "model.safetensors"), join(secret(), "model.safetensors"));
      await rm(join(inside, "model.safetensors"));
      const map = { "model.norm.weight": name };
      await write("model/model.safetensors.index.json", { weight_map: map });
      await expect(loadModel(inside)).rejects.toThrow(/weight_map must map tensors to files of this folder/);
    },
  );

  test.each([
    "../secret",
    "/etc",
    "checkpoint-1/../../secret",
    "checkpoint-",
    "checkpoint-1\0",
    "checkpoint-9999999999999999999",
  ])("a run whose latest is %j names no checkpoint", async (name) => {
    await write("latest", name);
    await expect(latestCheckpoint(runFolderAt(folder))).rejects.toMatchObject({
      code: "checkpoint",
      message: expect.stringContaining("latest: must name a checkpoint, got"),
    });
  });

  test("a hub's listing cannot place files elsewhere", () => {
    const paths = [
      "../config.json",
      "/etc/config.json",
      "a/config.json",
      "config.json\0",
      "model-1-of-2.safetensors",
      "..",
      "config.json",
    ];
    expect(pickFiles(paths.map((path) => ({ path })))).toEqual([{ path: "config.json" }]);
  });
});
