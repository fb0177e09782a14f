import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MulliganError } from "../core/errors.ts";
import { fields } from "./fields.ts";
import { flagFromPath } from "./flags.ts";
import { createProgram, runCli } from "./program.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-cli-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const contextWith = (signal: AbortSignal, out: string[], err: string[]) => ({
  presets: { mini: { maxSteps: 60 }, paper: { maxSteps: 1750 } },
  signal,
  stdout: { write: (text: string) => out.push(text) },
  stderr: { write: (text: string) => err.push(text) },
  folder,
});

async function run(...argv: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runCli(argv, contextWith(new AbortController().signal, out, err));
  return { code, out: out.join(""), err: err.join("") };
}

describe("help", () => {
  test("is what one sees without arguments", async () => {
    const { code, out } = await run();
    expect(code).toBe(0);
    for (const name of ["demo", "collect", "train", "eval", "sample", "bench"]) {
      expect(out).toMatch(new RegExp(`^ {2}${name} `, "m"));
    }
    expect(await run("--help")).toMatchObject({ code: 0, out });
  });

  test("of train lists every setting with default and choices, under headings", async () => {
    const { code, out } = await run("train", "--help");
    expect(code).toBe(0);
    for (const field of fields) {
      const line = out.split("\n").find((line) => line.startsWith(`  ${flagFromPath(field.path)} `));
      expect(line, field.path).toContain(field.description);
      expect(line, field.path).toMatch(/default: \S/);
      for (const choice of field.choices) expect(line).toContain(choice);
    }
    expect(out).toMatch(/Loss:\n {2}--scale-rewards <name> .*\(group \| batch \| none; default: group\)\n/);
  });

  test.each(["demo", "collect", "train", "eval", "sample", "bench"])(
    "of %s ends with examples",
    async (name) => {
      const { code, out } = await run(name, "--help");
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`Examples:\\n {2}\\$ mulligan ${name}`));
    },
  );
});

test("commands that write no run neither list where it would be nor take it", async () => {
  for (const [name, ...required] of [["eval"], ["sample"], ["export", "--output", "y"]] as const) {
    const { out } = await run(name, "--help");
    expect(out).toMatch(/--model <text>/);
    expect(out).not.toMatch(/--output-dir|--save-steps|--max-skipped-steps/);
    expect(await run(name, ...required, "--output-dir", "x")).toEqual({
      code: 1,
      out: "",
      err: `error: --output-dir: mulligan ${name} has no use for it\nhint: \`mulligan ${name} --help\` lists what there is\n`,
    });
  }
  for (const name of ["demo", "train", "collect"])
    expect((await run(name, "--help")).out).toMatch(/--output-dir/);
});

test("--version prints the package's version", async () => {
  expect(await run("--version")).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

describe("the settings of a run", () => {
  const dryRun = async (...argv: string[]) => {
    const { code, out, err } = await run("train", "--dry-run", "--collect.max-problems", "20", ...argv);
    expect(code).toBe(0);
    expect(err).toMatch(/^memory: about \S+ [MG]iB at the most, of .* free\n.*process\n.*weights\n/m);
    return JSON.parse(out);
  };

  test("come from preset, file and flags in this order", async () => {
    await writeFile(join(folder, "mulligan.config.ts"), "export default { seed: 4, eval: { steps: 7 } };");
    const config = await dryRun("--preset", "paper", "--seed=5", "--no-dynamic-sampling", "--top_p", "0.5");
    expect(config).toMatchObject({ maxSteps: 1750, seed: 5, eval: { steps: 7 }, topP: 0.5 });
  });

  test("accept a boolean flag with and without a value", async () => {
    expect((await dryRun("--dynamic-sampling")).dynamicSampling).toBe(true);
    expect((await dryRun("--dynamic-sampling", "false")).dynamicSampling).toBe(false);
  });

  test("are printed also where no memory can be planned, with the reason", async () => {
    const { code, out, err } = await run("train", "--dry-run", "--model", join(folder, "none"));
    expect(code).toBe(0);
    expect(JSON.parse(out).model).toBe(join(folder, "none"));
    expect(err).toMatch(/^model: must be a Hugging Face folder.*\nhint: /m);
  });

  test("of a resumed run are its own, but for flags", async () => {
    const saved = await dryRun("--num-generations", "4", "--output-dir", folder);
    await writeFile(join(folder, "config.json"), JSON.stringify(saved));
    await writeFile(join(folder, "mulligan.config.ts"), "export default { seed: 4 };");
    expect(await dryRun("--resume", "--output-dir", folder, "--max-steps", "90")).toEqual({
      ...saved,
      maxSteps: 90,
    });
  });
});

describe("mistakes end with code 1, the rule and a hint", () => {
  test.each([
    [["trian"], "trian: unknown command", "did you mean train?"],
    [["train", "--num-generation", "8"], "--num-generation: unknown flag", "did you mean --num-generations?"],
    [["train", "--numGeneration=8"], "--numGeneration: unknown flag", "did you mean --num-generations?"],
    [["demo", "--xyzzy-plugh"], "--xyzzy-plugh: unknown flag", "`mulligan demo --help` lists what there is"],
    [
      ["train", "--seed"],
      "option '--seed <int>' argument missing",
      "`mulligan train --help` lists what there is",
    ],
    [
      ["eval", "--split", "all"],
      "option '--split <name>' argument 'all' is invalid. Allowed choices are validation, test.",
      "`mulligan eval --help` lists what there is",
    ],
    [
      ["train", "--num-generations", "1"],
      "numGenerations: must be at least 2, got 1",
      "a group of one has no baseline to compare a reflection with",
    ],
    [["train", "--preset", "papr"], 'preset: must be one of mini, paper, got "papr"', "did you mean paper?"],
  ])("%j", async (argv, message, hint) => {
    expect(await run(...argv)).toEqual({ code: 1, out: "", err: `error: ${message}\nhint: ${hint}\n` });
  });

  test("an option that counts", async () => {
    const { code, err } = await run("sample", "--count", "0");
    const rule = "count: must be a whole number of at least 1, got 0";
    expect([code, err]).toEqual([1, `error: ${rule}\nhint: 1, 2, 3 and so on: --count 5\n`]);
  });
});

describe("what a command throws", () => {
  /** Replaces the body of `bench`. */
  async function runThrowing(error: unknown, controller = new AbortController()) {
    const err: string[] = [];
    const context = contextWith(controller.signal, [], err);
    const change = (program: Command) => {
      program.commands
        .find((command) => command.name() === "bench")
        ?.action(() => {
          if (error !== undefined) throw error;
        });
      return program;
    };
    return { code: await runCli(["bench"], context, change(createProgram(context))), err: err.join("") };
  }

  test("on purpose is told without a stack", async () => {
    const error = new MulliganError("data", "rows.jsonl, line 3: not JSON", { hint: "fix the line" });
    expect(await runThrowing(error)).toEqual({
      code: 1,
      err: "error: rows.jsonl, line 3: not JSON\nhint: fix the line\n",
    });
  });

  test("by accident is told with its stack and code 70", async () => {
    const { code, err } = await runThrowing(new TypeError("x is not a function"));
    expect(code).toBe(70);
    expect(err).toMatch(/^unexpected error: TypeError: x is not a function\n {4}at /);
    const hostile = await runThrowing(new Error("\u001b[2J\u009b1m"));
    expect(hostile.err).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  test("because of Ctrl-C, or nothing after it, gives code 130", async () => {
    const controller = new AbortController();
    controller.abort();
    expect(await runThrowing(controller.signal.reason, controller)).toEqual({ code: 130, err: "" });
    expect(await runThrowing(undefined, controller)).toEqual({ code: 130, err: "" });
  });
});

describe("the executable", () => {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const spawn = (...argv: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((done) => {
      execFile(process.execPath, ["--import", "tsx", main, ...argv], (error, out, err) =>
        done({ code: error ? Number(error.code) : 0, out, err }),
      );
    });

  test("prints results on stdout and mistakes on stderr, with exit codes", async () => {
    expect(await spawn("--version")).toMatchObject({ code: 0, err: "" });
    expect(await spawn("train", "--preset", "mini", "--num-generations", "1")).toEqual({
      code: 1,
      out: "",
      err: expect.stringMatching(/^error: numGenerations: must be at least 2, got 1\nhint: /),
    });
  });
});
