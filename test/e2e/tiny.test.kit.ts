/**
 * For end-to-end tests: a Hugging Face folder with a tiny random model, a task that such a model solves half the time,
 * and the command line called as a user calls it, in a folder of its own.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { miniConfig } from "../../pretrain/mini.ts";
import { tokenizerFiles } from "../../pretrain/tokenizer.ts";
import { runCli } from "../../src/cli/program.ts";
import { parseModelConfig } from "../../src/model/config.ts";
import { saveModel } from "../../src/model/folder.ts";
import { initParameters, parameterShapes } from "../../src/model/parameters.ts";
import { presetConfig } from "../../src/train/presets.ts";

const CONTEXT = 256;

/** The shipped model's tokenizer and architecture, with one layer of width 16 and random weights. */
export async function makeTinyModel(folder: string, changes: Record<string, unknown> = {}): Promise<string> {
  const json = {
    ...miniConfig,
    ...{ hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1 },
    ...{ num_attention_heads: 2, num_key_value_heads: 2, max_position_embeddings: CONTEXT },
    ...changes,
  };
  const config = parseModelConfig(json, "tiny");
  const parameters = parameterShapes(config);
  await saveModel(folder, { config, parameters, flat: initParameters(config, 1) });
  for (const [name, content] of Object.entries(tokenizerFiles(CONTEXT))) {
    await writeFile(join(folder, name), content);
  }
  return folder;
}

/** Random text has an even length about every second time: failures, rescues and groups with signal, without skill. */
export async function makeParityTask(folder: string, rows = 60): Promise<string> {
  const lines = Array.from({ length: rows }, (_, i) => JSON.stringify({ question: `copy: ${i}` }));
  await writeFile(join(folder, "rows.jsonl"), `${lines.join("\n")}\n`);
  const path = join(folder, "parity.ts");
  await writeFile(
    path,
    `import { defineTask } from "mulligan";

interface Row { question: string }

export default defineTask<Row>({
  name: "parity",
  rows: ${JSON.stringify(join(folder, "rows.jsonl"))},
  prompt: (row) => row.question,
  reflectionPrompt: "wrong. reflect",
  verify: (answer) => answer.length % 2 === 0,
});
`,
  );
  return path;
}

/** Everything as small as it goes; --preset mini gives the compact wording that fits the tiny context. */
export const tiny = {
  "--preset": "mini",
  "--threads": 1,
  "--max-steps": 2,
  "--failures-per-step": 3,
  "--num-generations": 2,
  "--max-attempt-length": 6,
  "--max-completion-length": 6,
  "--learning-rate": 0.01,
  "--collect.max-problems": 12,
  "--eval.validation-problems": 4,
  "--eval.test-problems": 6,
  "--eval.steps": 1,
  "--eval.bootstrap": 100,
} as const;

export type Flags = Readonly<Record<string, string | number | boolean>>;

export interface Ran {
  code: number;
  out: string;
  err: string;
}

export interface RunOptions {
  /** Also aborts when what is written to stderr matches. */
  stopAt?: RegExp;
}

/** Flags as a command line; `true` is a flag without a value. */
export function argvFrom(command: string, flags: Flags): string[] {
  return [
    command,
    ...Object.entries(flags).flatMap(([name, value]) => (value === true ? [name] : [name, String(value)])),
  ];
}

/** Runs one command in this process. */
export function run(command: string, flags: Flags, options: RunOptions = {}): Promise<Ran> {
  return runArgv(argvFrom(command, flags), options);
}

export async function runArgv(argv: readonly string[], { stopAt }: RunOptions = {}): Promise<Ran> {
  const controller = new AbortController();
  let [out, err] = ["", ""];
  const code = await runCli(argv, {
    presets: { mini: presetConfig("mini"), paper: presetConfig("paper") },
    signal: controller.signal,
    stdout: { write: (text) => (out += text) },
    stderr: {
      write: (text) => {
        err += text;
        if (stopAt?.test(err)) controller.abort();
      },
    },
    folder: tmpdir(),
  });
  return { code, out, err };
}

/** A folder under the system's temporary one, and its removal. */
export async function makeFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "mulligan-e2e-"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export async function readLines(path: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(path, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Every file below a folder with a hash of its content, to see that nothing changed; empty when the folder is not there. */
export async function snapshot(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  if (!existsSync(folder)) return files;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile())
      files[path] = createHash("sha256")
        .update(await readFile(path))
        .digest("hex");
  }
  return files;
}
