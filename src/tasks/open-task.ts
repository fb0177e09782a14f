/**
 * A task with its verifier opened for a run. Where answers are verified is decided here: our own tasks in this process, whose
 * verifiers are bounded and fast; everything that a user brings apart from it (`verify/verifier.ts`).
 */
import { resolve } from "node:path";
import { programFor } from "../core/own-program.ts";
import { type Task, withVerify } from "../core/task.ts";
import type { VerifierLimits } from "../verify/apart/limits.ts";
import { openVerifier, type VerifierSource } from "../verify/apart/verifier.ts";
import type { DefinedTask } from "./define-task.ts";
import { isTaskFile, loadTask } from "./load-task.ts";
import type { HubAccess } from "./row-files.ts";

/** Arguments of Node, which the task's file follows. */
const WORKER = ["--input-type=module", "--eval", programFor(import.meta.url, "./verify-worker"), "--"];

export interface OpenTask {
  task: Task;
  /** Ends the verifier's processes. */
  close(): Promise<void>;
}

export interface OpenTaskOptions {
  /** Of a built-in task. */
  taskOptions?: Record<string, unknown>;
  /** How rows of the hub are fetched. */
  hub?: HubAccess;
  verifier: VerifierLimits & { maxUnscoredFraction: number };
}

/** Throws what `loadTask` throws, and `MulliganError("task")` when the verifier's process cannot load the task. */
export async function openTask(
  nameOrPath: string,
  { taskOptions, hub, verifier: { maxUnscoredFraction, ...limits } }: OpenTaskOptions,
): Promise<OpenTask> {
  const task = await loadTask(nameOrPath, taskOptions, hub);
  if (!isTaskFile(nameOrPath)) {
    const bounds = { timeoutMs: limits.timeoutMs, maxUnscoredFraction };
    const verify: Task["verify"] = (answer, row) => task.verify(answer, row);
    return { task: withVerify(task, verify, bounds), close: async () => {} };
  }
  const { external, folder = "." } = task as Partial<DefinedTask>;
  const source: VerifierSource = external ?? { program: [...WORKER, resolve(nameOrPath)] };
  const { verify, close } = await openVerifier(source, limits, folder);
  const bounds = { timeoutMs: Number.POSITIVE_INFINITY, maxUnscoredFraction };
  return { task: withVerify(task, verify, bounds), close };
}
