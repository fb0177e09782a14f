import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MulliganError } from "../core/errors.ts";
import { MulliganConfig } from "../train/config.ts";
import { type ConfigSources, loadConfigFile, resolveConfig } from "./config.ts";

const errorOf = (sources: ConfigSources): MulliganError => {
  try {
    resolveConfig(sources);
  } catch (error) {
    expect(error).toBeInstanceOf(MulliganError);
    return error as MulliganError;
  }
  throw new Error("resolveConfig did not throw");
};
const file = (values: unknown) => ({ path: "mulligan.config.ts", values });

describe("merging", () => {
  test("gives the schema's defaults when there is nothing else", () => {
    expect(resolveConfig({})).toEqual(MulliganConfig.parse({}));
  });

  test("takes defaults < preset < file < flags, also inside sections", () => {
    const config = resolveConfig({
      preset: "p",
      presets: { p: { beta: 1, seed: 1, maxSteps: 1, eval: { steps: 1, seed: 1, bootstrap: 101 } } },
      file: file({ seed: 2, maxSteps: 2, eval: { steps: 2, seed: 2 } }),
      flags: { maxSteps: "3", "eval.steps": "3" },
    });
    expect(config).toMatchObject({ topK: 0, beta: 1, seed: 2, maxSteps: 3 });
    expect(config.eval).toMatchObject({ testProblems: 1000, bootstrap: 101, seed: 2, steps: 3 });
  });

  test("replaces a record whole: options of one task must not reach another", () => {
    const { taskOptions } = resolveConfig({
      file: file({ taskOptions: { numbers: 3 } }),
      flags: { taskOptions: '{"depth": 2}' },
    });
    expect(taskOptions).toEqual({ depth: 2 });
  });

  test("drops the options of a task when another one is named after it", () => {
    const presets = { small: { task: "countdown", taskOptions: { wording: "compact" } } };
    const options = (flags: Record<string, string>) =>
      resolveConfig({ preset: "small", presets, flags }).taskOptions;
    expect(options({ task: "retention" })).toEqual({});
    expect(options({ task: "countdown" })).toEqual({ wording: "compact" });
    expect(options({ task: "retention", taskOptions: '{"kinds":["copy"]}' })).toEqual({ kinds: ["copy"] });
  });

  test("leaves preset and file as they were", () => {
    const presets = { p: { eval: { steps: 1 } } };
    const values = { eval: { seed: 2 } };
    resolveConfig({
      preset: "p",
      presets,
      file: file(values),
      flags: { "eval.steps": "3", "collect.tries": "9" },
    });
    expect([presets, values]).toEqual([{ p: { eval: { steps: 1 } } }, { eval: { seed: 2 } }]);
  });

  test("parses each flag by its setting's type", () => {
    const flags = {
      ...{ seed: "-3", learningRate: "5e-7", dynamicSampling: "true", maskTruncatedCompletions: "false" },
      ...{ lossType: "grpo", model: "7", taskOptions: '{"a": [1]}' },
    };
    expect(resolveConfig({ flags })).toMatchObject({
      ...{ seed: -3, learningRate: 5e-7, dynamicSampling: true, maskTruncatedCompletions: false },
      ...{ lossType: "grpo", model: "7", taskOptions: { a: [1] } },
    });
  });
});

describe("an error names the setting, the rule and the value", () => {
  test.each([
    ["numGenerations", "1", "must be at least 2, got 1"],
    ["numGenerations", "2.5", "must be a whole number, got 2.5"],
    ["numGenerations", "many", 'must be a whole number, got "many"'],
    ["numGenerations", "", 'must be a whole number, got ""'],
    ["topP", "1.5", "must be at most 1, got 1.5"],
    ["learningRate", "0", "must be greater than 0, got 0"],
    ["learningRate", "Infinity", "must be a finite number, got Infinity"],
    ["dynamicSampling", "yes", 'must be true or false, got "yes"'],
    ["lossType", "ppo", 'must be one of grpo, bnpo, dr_grpo, dapo, got "ppo"'],
    ["eval.bootstrap", "5", "must be at least 100, got 5"],
    ["taskOptions", "[1]", "must be an object, got [1]"],
    ["taskOptions", "{a: 1}", "must be JSON, got {a: 1}"],
  ])("%s %s", (path, text, rule) => {
    const error = errorOf({ flags: { [path]: text } });
    expect(error).toMatchObject({ code: "config", message: `${path}: ${rule}` });
    expect(error.hint).toBeTruthy();
  });

  test("and why a limit is there", () => {
    expect(errorOf({ flags: { numGenerations: "1" } }).hint).toMatch(/^a group of one has no baseline/);
    expect(errorOf({ flags: { temperature: "0" } }).hint).toMatch(
      /^greedy reflections would all be the same/,
    );
  });

  test("all of them at once, one a line", () => {
    expect(
      errorOf({ flags: { topP: "2", seed: "x" } })
        .message.split("\n")
        .sort(),
    ).toEqual(['seed: must be a whole number, got "x"', "topP: must be at most 1, got 2"]);
  });

  test("values of a file and sections of the wrong type", () => {
    expect(errorOf({ file: file({ threads: "2" }) }).message).toBe(
      'threads: must be a whole number, got "2"',
    );
    expect(errorOf({ file: file({ eval: 3 }) }).message).toBe("eval: must be an object of settings, got 3");
    expect(errorOf({ file: file(null) }).message).toBe(
      "mulligan.config.ts: must export an object of settings, got null",
    );
  });
});

describe("a misspelt name is refused with the nearest one", () => {
  test.each([
    [file({ numGeneration: 4 }), "numGeneration", "numGenerations"],
    [file({ eval: { testProblem: 4 } }), "eval.testProblem", "eval.testProblems"],
    [file({ num_generations: 4 }), "num_generations", "numGenerations"],
    [file({ testProblems: 4 }), "testProblems", "eval.testProblems"],
  ])("%j", (values, wrong, right) => {
    expect(errorOf({ file: values })).toMatchObject({
      message: `${wrong}: unknown setting in mulligan.config.ts`,
      hint: `did you mean ${right}?`,
    });
  });

  test("a preset", () => {
    const presets = { mini: {}, paper: {} };
    expect(errorOf({ preset: "papr", presets })).toMatchObject({
      message: 'preset: must be one of mini, paper, got "papr"',
      hint: "did you mean paper?",
    });
    expect(errorOf({ preset: "toString", presets }).code).toBe("config");
  });

  test("a name that is near to nothing points to the list", () => {
    expect(errorOf({ file: file({ zzz: 1 }) }).hint).toBe("`mulligan train --help` lists what there is");
  });
});

describe("the configuration file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mulligan-config-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const put = (name: string, text: string) => writeFile(join(folder, name), text);

  test("is optional", async () => {
    expect(await loadConfigFile(undefined, folder)).toBeUndefined();
  });

  test.each([
    ["mulligan.config.ts", "const seed: number = 4;\nexport default { seed };"],
    ["mulligan.config.js", "export default { seed: 4 };"],
    ["mulligan.config.json", '{ "seed": 4 }'],
  ])("%s is found and read", async (name, text) => {
    await put(name, text);
    expect(await loadConfigFile(undefined, folder)).toEqual({ path: name, values: { seed: 4 } });
  });

  test("is read again when it has changed", async () => {
    for (const seed of [4, 5]) {
      await put("mulligan.config.ts", `export default { seed: ${seed} };`);
      expect((await loadConfigFile(undefined, folder))?.values).toEqual({ seed });
    }
  });

  test("can be named, and must then exist", async () => {
    await put("other.ts", "export default { seed: 6 };");
    expect((await loadConfigFile("other.ts", folder))?.values).toEqual({ seed: 6 });
    await expect(loadConfigFile("none.ts", folder)).rejects.toMatchObject({
      code: "config",
      message: 'config: must be a file, got "none.ts"',
    });
  });

  test.each([
    ["mulligan.config.ts", "export default {"],
    ["mulligan.config.ts", "throw new Error('mine');"],
    ["mulligan.config.json", "{ seed: 4 }"],
  ])("a broken one is named: %s %s", async (name, text) => {
    await put(name, text);
    const error = await loadConfigFile(undefined, folder).catch((error) => error);
    expect(error).toMatchObject({ code: "config", hint: expect.stringContaining("export default") });
    expect(error.message).toMatch(new RegExp(`^${name}: cannot be loaded: .`));
  });
});
