/** Finds the task that a user named: a built-in one, or the default export of a TypeScript or JavaScript file. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { MulliganError, messageOf, nearestName } from "../core/errors.ts";
import { createRng } from "../core/rng.ts";
import type { Task } from "../core/task.ts";
import { gsm8k } from "./benchmarks/gsm8k.ts";
import { math } from "./benchmarks/math.ts";
import { multipleChoice } from "./benchmarks/multiple-choice.ts";
import { countdown } from "./countdown/task.ts";
import { functionCalling } from "./function-calling/task.ts";
import { importDefault } from "./import-file.ts";
import * as tasks from "./index.ts";
import { retention } from "./retention/task.ts";
import { type HubAccess, rowFilesIn } from "./row-files.ts";
import { toolCalling } from "./tool-calling/task.ts";

const BUILT_IN: Readonly<Record<string, (options: never) => Task>> = {
  countdown,
  "function-calling": functionCalling,
  retention,
  "tool-calling": toolCalling,
  gsm8k,
  math,
  "multiple-choice": multipleChoice,
};

export const BUILT_IN_TASKS: readonly string[] = Object.keys(BUILT_IN);

const METHODS = [
  "problems",
  "prompt",
  "reflectionPrompt",
  "retryPrompt",
  "plainRetryPrompt",
  "verify",
] as const;

/**
 * Loads a task by name, with options, or from a file, whose folder its relative paths then start from; `hub` says how its
 * data sets are fetched. Throws
 * `MulliganError`: "config" for an unknown name or option, "task" for a file that is missing, fails to load or exports
 * no task.
 */
export async function loadTask(
  nameOrPath: string,
  options: Record<string, unknown> = {},
  hub: HubAccess = {},
): Promise<Task> {
  if (!isTaskFile(nameOrPath)) return placed(builtIn(nameOrPath, options), ".", hub);
  if (Object.keys(options).length > 0) {
    throw new MulliganError("config", `task ${nameOrPath}: only built-in tasks take options`, {
      hint: "set them in the file itself and leave taskOptions out",
    });
  }
  return placed(await fromFile(nameOrPath), dirname(resolve(nameOrPath)), hub);
}

/** A task of defineTask learns where it is. */
function placed(task: Task, folder: string, hub: HubAccess): Task {
  if ("rowFiles" in task) Object.assign(task, { folder, rowFiles: rowFilesIn(folder, hub) });
  return task;
}

/** Does this name a file, and no built-in task? */
export function isTaskFile(nameOrPath: string): boolean {
  return /[/\\]|\.[cm]?[jt]s$/.test(nameOrPath);
}

function builtIn(name: string, options: Record<string, unknown>): Task {
  const create = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  if (create) return create(options as never);
  const near = nearestName(name, BUILT_IN_TASKS);
  const choices = `built-in tasks are ${BUILT_IN_TASKS.join(", ")}; a file's name ends in .ts, .js or .mjs`;
  throw new MulliganError("config", `unknown task "${name}"`, {
    hint: near ? `did you mean "${near}"? ${choices}` : choices,
  });
}

async function fromFile(path: string): Promise<Task> {
  const file = resolve(path);
  if (!existsSync(file)) {
    throw new MulliganError("task", `task file ${path}: not found`, { hint: `looked for ${file}` });
  }
  const exported = await load(path, file);
  if (isTask(exported)) return exported;
  const got = exported === undefined ? "no default export" : "a default export that is no task";
  throw new MulliganError("task", `task file ${path}: ${got}`, {
    hint: "end the file with: export default defineTask({ rows, prompt, verify })",
  });
}

async function load(path: string, file: string): Promise<unknown> {
  try {
    return await importDefault(file, { "mulligan/tasks": tasks, mulligan: FOR_TASKS });
  } catch (cause) {
    if (cause instanceof MulliganError) throw cause;
    // a syntax error comes with its place on a line of its own
    const reason = messageOf(cause)
      .trim()
      .replace(/\s*\n\s*/g, " ");
    throw new MulliganError("task", `task file ${path}: cannot be loaded: ${reason}`, {
      hint: "the file must run by itself: look at its syntax and its imports",
      cause,
    });
  }
}

/** What a task may need of the package's main entry; the engine, which is slow to load, is not among it. */
const FOR_TASKS = { ...tasks, createRng, MulliganError };

function isTask(value: unknown): value is Task {
  if (typeof value !== "object" || value === null) return false;
  const task = value as Partial<Record<string, unknown>>;
  return typeof task.name === "string" && METHODS.every((method) => typeof task[method] === "function");
}
