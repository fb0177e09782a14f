/** Making the shipped model: a run that is killed and started again gives the same model as one that was not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../../src/model/folder.ts";
import { loadChat } from "../../src/text/chat.ts";

const script = fileURLToPath(new URL("../../pretrain/main.ts", import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-pretrain-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function pretrain(out: string) {
  const flags = ["--out", out, "--steps", "12", "--batch", "2", "--save-steps", "4"];
  return spawn(process.execPath, ["--import", "tsx", script, ...flags], { stdio: "ignore" });
}

test("pretraining resumes to the same bytes after it was killed", { timeout: 120_000 }, async () => {
  const [whole, killed] = [join(folder, "whole"), join(folder, "killed")];
  expect(await once(pretrain(whole), "exit")).toEqual([0, null]);

  const first = pretrain(killed);
  const exit = once(first, "exit");
  const progress = join(killed, "checkpoint", "progress.json");
  while (!existsSync(progress) && first.exitCode === null) await new Promise((next) => setTimeout(next, 5));
  first.kill("SIGKILL");
  await exit;
  expect(await once(pretrain(killed), "exit")).toEqual([0, null]);

  const weightsOf = (out: string) => readFile(join(out, "model.safetensors"), "base64");
  expect(await weightsOf(killed)).toBe(await weightsOf(whole));
  expect(existsSync(join(killed, "checkpoint"))).toBe(false);
  await loadModel(killed);
  expect((await loadChat(killed)).decode([])).toBe("");
});
