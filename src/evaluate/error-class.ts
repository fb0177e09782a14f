/** The sort of mistake behind a failed verdict, by which collections and reports count. */
import type { Verdict } from "../core/task.ts";

/**
 * The task's own class, else what its feedback says before a colon: "missed: 17 is 3 below 20" is "missed". Undefined for
 * other verdicts, and where the task says neither.
 */
export function errorClassOf(verdict: Verdict): string | undefined {
  if (verdict.kind !== "failed") return undefined;
  return verdict.errorClass ?? /^([^:\n]{1,40}):\s/.exec(verdict.feedback)?.[1];
}
