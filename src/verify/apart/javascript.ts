/**
 * Runs JavaScript that a model wrote, in QuickJS compiled to WebAssembly: no process, files, network or clock inside, and
 * limits on time, memory and stack. Only ever in a verifier's process, never in the run's: natively slow steps outlast the
 * sandbox's own deadline, and then the process's limits hold.
 */
import { MulliganError } from "../../core/errors.ts";
import type { Verdict } from "../../core/task.ts";
import { MARK } from "./guarded-process.ts";

/** An optional peer: types only by name, and never imported before it is needed. */
type QuickJSContext = import("quickjs-emscripten").QuickJSContext;
type QuickJSWASMModule = import("quickjs-emscripten").QuickJSWASMModule;

export interface JavaScriptLimits {
  /** Of code and tests together. Default 1000; below `verifier.timeoutMs`, so that slow code fails and is not unscored. */
  timeoutMs?: number;
}

/** Longest code. A model that writes more than this has not answered. */
const MAX_CODE_LENGTH = 65_536;
/** Well below what the host's own stack bears, which QuickJS's frames lie on. */
const STACK_BYTES = 256 * 1024;
const MEMORY_MB = 64;
/** What the module asks for when it begins. */
const INITIAL_MB = 16;

/** Kept between answers, and thrown away once anything went wrong on the host's side of it. */
let sandbox: QuickJSWASMModule | undefined;

/**
 * Solved when the code runs and every test, an expression, is `true` after it; they share one fresh world. Code that throws,
 * loops or takes too much memory has failed. For a task's `verify`; throws `MulliganError("task")` anywhere else, and when
 * quickjs-emscripten is not installed.
 */
export async function verifyJavaScript(
  code: string,
  tests: readonly string[],
  { timeoutMs = 1000 }: JavaScriptLimits = {},
): Promise<Verdict> {
  if (process.env[MARK] === undefined) {
    throw new MulliganError(
      "task",
      "verifyJavaScript: must run in a verifier's process, got called in another",
      {
        hint: "call it in the verify function of a task file; in a program of your own, open that with openTask",
      },
    );
  }
  if (code.length > MAX_CODE_LENGTH) {
    return { kind: "failed", feedback: `the code is longer than ${MAX_CODE_LENGTH} characters` };
  }
  const quickjs = sandbox ?? (await loadSandbox());
  sandbox = undefined;
  try {
    const deadline = performance.now() + timeoutMs;
    const runtime = quickjs.newRuntime();
    runtime.setMaxStackSize(STACK_BYTES);
    runtime.setInterruptHandler(() => performance.now() > deadline);
    const context = runtime.newContext();
    const feedback = firstFailure(context, code, tests);
    context.dispose();
    runtime.dispose();
    sandbox = quickjs;
    return feedback === undefined ? { kind: "solved" } : { kind: "failed", feedback };
  } catch (error) {
    // the host's stack or memory, or the sandbox's own checks: the code's doing, but the module is unsound now
    return { kind: "failed", feedback: `the code broke its sandbox: ${(error as Error).message}` };
  }
}

/** What the code or a test did wrong, undefined when nothing. */
function firstFailure(context: QuickJSContext, code: string, tests: readonly string[]): string | undefined {
  const ran = evaluate(context, code, "code");
  if ("error" in ran) return `the code ${ran.error}`;
  for (const [index, test] of tests.entries()) {
    const found = evaluate(context, test, `test ${index + 1}`);
    const what = `test ${index + 1}, ${test.slice(0, 200)},`;
    if ("error" in found) return `${what} ${found.error}`;
    if (found.value !== true) return `${what} is not true`;
  }
  return undefined;
}

/** Only `true` and `false` leave the sandbox, and the text of an error. */
function evaluate(
  context: QuickJSContext,
  code: string,
  name: string,
): { value: boolean | undefined } | { error: string } {
  const result = context.evalCode(code, name);
  if (result.error) {
    const error = context.getProp(result.error, "message");
    const message = context.typeof(error) === "string" ? context.getString(error).slice(0, 200) : "";
    error.dispose();
    result.error.dispose();
    return {
      error:
        message === "interrupted"
          ? "took too long"
          : `threw: ${message || "what is no error, or ran out of memory"}`,
    };
  }
  const isBoolean = context.typeof(result.value) === "boolean";
  const value = isBoolean ? (context.dump(result.value) as boolean) : undefined;
  result.value.dispose();
  return { value };
}

/** TypeScript knows the name only with the browser's library. */
const { Memory } = Reflect.get(globalThis, "WebAssembly") as {
  Memory: new (pages: { initial: number; maximum: number }) => object;
};

/** Its memory has a maximum of its own: QuickJS's limit, built for WebAssembly, counts single allocations only. */
async function loadSandbox(): Promise<QuickJSWASMModule> {
  const quickjs = await import("quickjs-emscripten").catch((cause: unknown) => {
    throw new MulliganError(
      "task",
      "verifyJavaScript: needs the package quickjs-emscripten, which is not installed",
      {
        hint: "npm install quickjs-emscripten@0.32",
        cause,
      },
    );
  });
  const pages = (mebibytes: number) => mebibytes * 16;
  const wasmMemory = new Memory({ initial: pages(INITIAL_MB), maximum: pages(MEMORY_MB) });
  return quickjs.newQuickJSWASMModule(quickjs.newVariant(quickjs.RELEASE_SYNC, { wasmMemory }));
}
