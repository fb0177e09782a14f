/** What a run is started with: versions, machine, state of the user's files. Written down, never acted on. */
import { execFile } from "node:child_process";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { promisify } from "node:util";
import { mulliganVersion, packageVersion } from "../core/version.ts";
import type { Start } from "../store/wire.ts";
import { originOf } from "./origin.ts";
import type { Setup } from "./setup.ts";

/** A repository that answers later is not worth the wait. Arbitrary. */
const GIT_TIMEOUT_MS = 3000;

/** `step`: how many steps were done before. Throws what `originOf` throws. */
export async function describeStart(setup: Setup, step = 0): Promise<Start> {
  const { name, weights, config, tokenizer, adapter } = (await originOf(setup)).model;
  const git = await gitState(process.cwd());
  const runtime = packageVersion("onnxruntime-node");
  return {
    started: new Date().toISOString(),
    step,
    command: process.argv,
    folder: process.cwd(),
    mulligan: mulliganVersion(),
    node: process.version,
    ...(runtime !== undefined && { onnxruntime: runtime }),
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: { model: cpus()[0]?.model.trim() ?? "unknown", cores: cpus().length },
    memoryBytes: totalmem(),
    threads: setup.policy.engine.info.threads,
    model: { name, weights, config, tokenizer, ...(adapter !== undefined && { adapter }) },
    ...(git && { git }),
  };
}

/**
 * The commit of a folder's repository, and whether tracked files differ from it; undefined where there is no commit, no git,
 * or no answer in time.
 */
export async function gitState(
  folder: string,
  timeoutMs = GIT_TIMEOUT_MS,
): Promise<Start["git"] | undefined> {
  // no hook, lock or prompt: only a look
  const arguments_ = [
    "-c",
    "core.fsmonitor=",
    "status",
    "--porcelain=v2",
    "--branch",
    "--untracked-files=no",
  ];
  try {
    const { stdout } = await promisify(execFile)("git", arguments_, {
      cwd: folder,
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      env: { ...process.env, GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" },
    });
    const commit = /^# branch\.oid ([0-9a-f]{40,64})$/m.exec(stdout)?.[1];
    return commit === undefined ? undefined : { commit, dirty: /^[^#]/m.test(stdout) };
  } catch {
    return undefined;
  }
}
