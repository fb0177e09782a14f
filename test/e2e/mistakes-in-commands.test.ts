/** A setting is misspelt or impossible, or the output folder cannot be used. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { setUpWorkbench } from "./mistakes.test.kit.ts";
import { type Flags, makeTinyModel, run, snapshot, tiny } from "./tiny.test.kit.ts";

const bench = setUpWorkbench();

describe("a command line", () => {
  test.each([
    [
      { "--num-generations": 1 },
      /^error: numGenerations: must be at least 2, got 1\nhint: a group of one has no baseline/,
    ],
    [{ "--learning-rate": -1 }, /^error: learningRate: must be greater than 0, got -1\nhint: /],
    [
      { "--num-generation": 4 },
      /^error: --num-generation: unknown flag\nhint: did you mean --num-generations\?/,
    ],
    [
      { "--preset": "mni" },
      /^error: preset: must be one of mini, paper, got "mni"\nhint: did you mean mini\?/,
    ],
  ] as [Flags, RegExp][])("with %j", async (flags, message) => {
    expect(await bench.refusal(flags)).toMatch(message);
  });

  test("with a misspelt key in its configuration file", async () => {
    const file = join(bench.own, "mulligan.config.ts");
    await writeFile(file, "export default { numGeneration: 4 };");
    expect(await bench.refusal({ "--config": file })).toMatch(
      /^error: numGeneration: unknown setting in .*mulligan\.config\.ts\nhint: did you mean numGenerations\?/,
    );
  });

  test("that asks for an episode that cannot fit the context", async () => {
    expect(await bench.refusal({ "--max-completion-length": 250 })).toMatch(
      /^error: problem ".*": .*context of 256 tokens[\s\S]*hint: lower maxCompletionLength/,
    );
  });
});

describe("an output folder", () => {
  test("that cannot be made, below a file", async () => {
    await writeFile(join(bench.own, "file"), "");
    expect(await bench.refusal({ "--output-dir": join(bench.own, "file", "run") })).toMatch(
      /^error: outputDir: must be a folder that can be written, got ".*" \(ENOTDIR.*\)\nhint: choose another folder/,
    );
  });

  test.skipIf(process.getuid?.() === 0)("that cannot be written", async () => {
    await mkdir(bench.output);
    await chmod(bench.output, 0o500);
    expect(await bench.refusal({})).toMatch(/^error: outputDir: must be a folder that can be written/);
  });

  test("that holds another run, which stays as it is", async () => {
    expect((await run("train", { ...tiny, "--model": bench.model, "--output-dir": bench.output })).code).toBe(
      0,
    );
    expect(await bench.refusal({})).toMatch(
      /^error: outputDir: must not hold another run, got ".*"\nhint: continue it with --resume, remove it with --clean/,
    );
    // --clean is for a run that can take its place
    expect(await bench.refusal({ "--clean": true, "--model": "nowhere" })).toMatch(/^error: model: /);
  });
});

test("--clean removes a run, and no folder that only looks like one", async () => {
  const other = await makeTinyModel(join(bench.own, "not-a-run"));
  const before = await snapshot(other);
  expect(await bench.refusal({ "--clean": true, "--output-dir": other })).toMatch(
    /^error: clean: .*not-a-run must hold a run, got only config\.json\nhint: choose another folder/,
  );
  expect(await snapshot(other)).toEqual(before);
});
