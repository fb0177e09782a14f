/**
 * A verifier that is a command: {"answer", "row"} as JSON on its input, the verdict as its exit code or as JSON on its
 * output. It runs anew for each answer; what else it does than say yes or no leaves the answer unscored.
 */
import type { Verdict } from "../../core/task.ts";
import { MAX_ANSWER_LENGTH, verdictFromJson } from "../verdict.ts";
import { startGuarded } from "./guarded-process.ts";
import { unscored, type VerifierLimits } from "./limits.ts";

export interface CommandVerifier {
  /** A program and its arguments; no shell reads them. */
  command: readonly [string, ...string[]];
}

export interface CommandOptions extends VerifierLimits {
  /** See `GuardedOptions`. */
  mark: string;
  /** Where the command runs: its paths start from here. */
  cwd: string;
  signal?: AbortSignal;
}

/** Never throws. */
export async function verifyByCommand(
  { command }: CommandVerifier,
  answer: string,
  row: unknown,
  { timeoutMs, memoryMb, maxOutputBytes, mark, cwd, signal }: CommandOptions,
): Promise<Verdict> {
  let input: string;
  try {
    input = JSON.stringify({ answer: answer.slice(0, MAX_ANSWER_LENGTH), row });
  } catch (error) {
    return unscored(`cannot be sent this row: ${(error as Error).message}`);
  }
  const { child, kill, ended, written } = startGuarded(command, {
    memoryMb,
    maxOutputBytes,
    mark,
    cwd,
  });
  const timer = setTimeout(() => kill(`took longer than ${timeoutMs} ms`), timeoutMs);
  const close = () => kill("was closed");
  signal?.addEventListener("abort", close);
  child.stdin?.on("error", () => {}); // it need not read
  child.stdin?.end(input);
  const { code, reason } = await ended;
  clearTimeout(timer);
  signal?.removeEventListener("abort", close);
  const { stdout, stderr } = written();
  // programs that crash exit with 1 too, and say so: that is no verdict on the answer
  const hasFailed = code === 1 && stderr.trim() === "";
  if (hasFailed) return { kind: "failed", feedback: stdout.trim().slice(0, 2000) };
  if (code !== 0) return unscored(reason);
  return stdout.trim() === "" ? { kind: "solved" } : verdictFromJson(stdout);
}
