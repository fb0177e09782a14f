/** A scheduler, a shutdown or a closed terminal stops a real process in each of its stages; resumed, it is the same run. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  argvFrom,
  makeFolder,
  makeParityTask,
  makeTinyModel,
  readLines,
  run,
  tiny,
} from "../e2e/tiny.test.kit.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const tsx = createRequire(import.meta.url).resolve("tsx");

/** Runs `train` as a process that gets a signal as soon as it says something that matches. */
async function trainUntil(flags: Parameters<typeof argvFrom>[1], at: RegExp, signal: NodeJS.Signals) {
  const argv = ["--import", tsx, main, ...argvFrom("train", flags)];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (data) => {
    if (!at.test(said) && at.test(said + data)) child.kill(signal);
    said += data;
  });
  const [code] = await once(child, "exit");
  return { code, said };
}

async function resultOf(output: string) {
  const bytes = (name: string) => readFile(join(output, name), "base64");
  const clockless = ({ step, ...metrics }: Record<string, unknown>) =>
    Object.entries(metrics).filter(([name]) => !/time|per_second/.test(name));
  return {
    files: await Promise.all(
      ["failures.jsonl", "evaluations.jsonl", "results.json", "model/model.safetensors"].map(bytes),
    ),
    metrics: (await readLines(join(output, "metrics.jsonl"))).map(clockless),
    warnings: existsSync(join(output, "warnings.jsonl")) && (await bytes("warnings.jsonl")),
  };
}

test.runIf(process.platform !== "win32")(
  "stopped while it collects, trains and evaluates, a run goes on to the same bytes",
  async () => {
    const { folder, remove } = await makeFolder();
    try {
      const flags = {
        ...{ ...tiny, "--task-options": "{}", "--task": await makeParityTask(folder) },
        ...{ "--model": await makeTinyModel(join(folder, "model")), "--max-steps": 3, "--eval.steps": 3 },
        ...{ "--collect.tries": 36 },
      };
      const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
      const resumed = { "--output-dir": stopped, "--resume": true };

      const collecting = await trainUntil({ ...flags, "--output-dir": stopped }, /^collect /m, "SIGTERM");
      expect(collecting.said).toMatch(
        /SIGTERM: stopping.*\n(.*\n)*stopped; continue with: mulligan train .* --resume\n$/,
      );
      expect(collecting.code).toBe(143);
      expect(existsSync(join(stopped, "collecting.jsonl"))).toBe(true);

      const training = await trainUntil(resumed, /^train {2}1\//m, "SIGHUP");
      expect(training.said).toMatch(/checkpoint: .*\n(.*\n)*stopped; continue with/);
      expect(training.code).toBe(129);

      const evaluating = await trainUntil(resumed, /step 3, validation/, "SIGTERM");
      expect(evaluating.code).toBe(143);
      expect(existsSync(join(stopped, "results.json"))).toBe(false);

      expect((await run("train", resumed)).code).toBe(0);
      expect((await run("train", { ...flags, "--output-dir": whole })).code).toBe(0);
      expect(await resultOf(stopped)).toEqual(await resultOf(whole));
    } finally {
      await remove();
    }
  },
  120_000,
);
