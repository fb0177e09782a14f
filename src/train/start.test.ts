import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { gitState } from "./start.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mulligan-git-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
    cwd: folder,
    encoding: "utf8",
  });

test("a repository's commit is told, and whether tracked files differ from it", async () => {
  git("init", "-q");
  expect(await gitState(folder)).toBeUndefined();
  await writeFile(join(folder, "task.ts"), "1");
  git("add", ".");
  git("commit", "-qm", "a");
  const commit = git("rev-parse", "HEAD").trim();
  await writeFile(join(folder, "other.ts"), "untracked");
  expect(await gitState(folder)).toEqual({ commit, dirty: false });
  await writeFile(join(folder, "task.ts"), "2");
  expect(await gitState(folder)).toEqual({ commit, dirty: true });
});

test("where there is no repository, nothing is told", async () => {
  expect(await gitState(folder)).toBeUndefined();
});

test.runIf(process.platform !== "win32")("a git that hangs is not waited for", async () => {
  await writeFile(join(folder, "git"), "#!/bin/sh\nexec sleep 60\n");
  await chmod(join(folder, "git"), 0o755);
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env.PATH}`);
  expect(await gitState(folder, 100)).toBeUndefined();
});
