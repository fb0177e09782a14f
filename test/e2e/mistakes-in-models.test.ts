/** A model folder, its tokenizer or a checkpoint is not what it should be. */
import { cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { setUpWorkbench } from "./mistakes.test.kit.ts";
import { type Flags, run } from "./tiny.test.kit.ts";

const bench = setUpWorkbench();

describe("a model", () => {
  /** A copy of the tiny model to break. */
  async function broken(change: (folder: string) => Promise<unknown>): Promise<Flags> {
    const copy = join(bench.own, "model");
    await cp(bench.model, copy, { recursive: true });
    await change(copy);
    return { "--model": copy };
  }
  const edit = (name: string, change: (json: Record<string, never>) => unknown) => async (folder: string) => {
    const json = JSON.parse(await readFile(join(folder, name), "utf8"));
    await writeFile(join(folder, name), JSON.stringify(change(json) ?? json));
  };
  const config = (changes: Record<string, unknown>) =>
    edit("config.json", (json) => ({ ...json, ...changes }));

  test("that does not exist", async () => {
    expect(await bench.refusal({ "--model": join(bench.own, "nowhere") })).toMatch(
      /^error: model: must be a Hugging Face folder, a hub name or a shipped model, got ".*nowhere"\nhint: "mini" is shipped/,
    );
  });

  test("without weights", async () => {
    const flags = await broken((copy) => rm(join(copy, "model.safetensors")));
    expect(await bench.refusal(flags)).toMatch(
      /^error: .*model\.safetensors: no such file\nhint: copy the model's weights/,
    );
  });

  test("whose weights are cut off", async () => {
    const flags = await broken((copy) => truncate(join(copy, "model.safetensors"), 5000));
    expect(await bench.refusal(flags)).toMatch(/^error: .*model\.safetensors: .*\nhint: /);
  });

  test("whose weights have other shapes than its config says", async () => {
    const flags = await broken(config({ intermediate_size: 48 }));
    expect(await bench.refusal(flags)).toMatch(
      /^error: .*tensor "model\.layers\.0\.mlp\.\w+\.weight" has shape \[\d+, \d+\], expected \[\d+, \d+\]\nhint: config\.json says .*intermediate_size = 48/,
    );
  });

  test.each([
    [{ model_type: "mamba" }, /model_type must be a supported one, got "mamba"\nhint: supported: llama/],
    [{ hidden_sise: 16 }, /unknown field hidden_sise\nhint: did you mean hidden_size\?/],
    [
      { rope_scaling: { rope_type: "yarn", factor: 4 } },
      /rope_scaling\.original_max_position_embeddings is missing: rope_type "yarn" needs it/,
    ],
    [
      { rope_scaling: { rope_type: "dynamic", factor: 4 } },
      /rope_scaling\.rope_type must be .*got "dynamic"/,
    ],
    [
      { partial_rotary_factor: 0.75 },
      /partial_rotary_factor must be 1: other values are not supported, got 0\.75/,
    ],
  ])("whose config.json says %j", async (changes, message) => {
    const err = await bench.refusal(await broken(config(changes)));
    expect(err).toMatch(/^error: .*config\.json: /);
    expect(err).toMatch(message);
  });

  test("without a token that ends a turn", async () => {
    const template =
      "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}{{ 'assistant: ' }}";
    const flags = await broken(async (copy) => {
      await writeFile(join(copy, "chat_template.jinja"), template);
      for (const name of ["tokenizer_config.json", "generation_config.json", "config.json"]) {
        await edit(name, ({ eos_token: _, eos_token_id: __, ...rest }) => rest)(copy);
      }
    });
    expect(await bench.refusal(flags)).toMatch(
      /^error: .*needs a token that ends an assistant's turn, found none\nhint: set eos_token/,
    );
  });

  test.each([
    [
      "that is missing",
      (path: string) => rm(path),
      /the file must exist, found none\nhint: a model folder holds/,
    ],
    [
      "that is cut off",
      (path: string) => truncate(path, 300),
      /must be JSON, got .*\nhint: the file may be cut off/,
    ],
    [
      "of another kind",
      (path: string) => writeFile(path, '{"model": {"type": "Magic", "vocab": {}}}'),
      /cannot be used/,
    ],
  ])("with a tokenizer.json %s", async (_, change, message) => {
    const err = await bench.refusal(await broken((copy) => change(join(copy, "tokenizer.json"))));
    expect(err).toMatch(/^error: .*tokenizer\.json: /);
    expect(err).toMatch(message);
  });
});

describe("a checkpoint", () => {
  test.each(["eval", "sample"])("that is none, for %s", async (command) => {
    const { code, out, err } = await run(command, {
      "--preset": "mini",
      "--model": bench.model,
      "--checkpoint": bench.own,
    });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/^error: checkpoint: must be a run with a checkpoint, or one, got ".*"\nhint: /);
  });
});
