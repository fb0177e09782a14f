/** What a verifier may take, and the one wording of a verdict that it could not give. */
import type { Verdict } from "../../core/task.ts";

export interface VerifierLimits {
  /** Wall-clock time of one verdict. */
  timeoutMs: number;
  /** Memory of each of its processes. A hard limit on Linux; elsewhere only of a JavaScript heap. */
  memoryMb: number;
  /** What it may write, or send back, for one verdict. */
  maxOutputBytes: number;
  /** Verdicts made at once, each in a process of its own. */
  workers: number;
}

export const DEFAULT_LIMITS: Readonly<VerifierLimits> = {
  timeoutMs: 10_000,
  memoryMb: 1024,
  maxOutputBytes: 1_000_000,
  workers: 2,
};

/** `reason` continues the sentence "the verifier …". */
export function unscored(reason: string): Verdict {
  return { kind: "unscored", cause: `the verifier ${reason}` };
}
