/** What a check of the doctor's says. Data: whoever shows it decides how; a check never throws to say no. */
import { MulliganError } from "../../core/errors.ts";

export type Status = "ok" | "warning" | "failed" | "skipped";

/** What was found, and what to do about it where something is wrong. */
export interface Finding {
  status: Exclude<Status, "skipped">;
  found: string;
  advice?: string;
}

/** A finding that also opened something, for the checks that need it; none where it failed. */
export interface Opened<T> extends Finding {
  value?: T;
}

export interface Check {
  name: string;
  status: Status;
  found: string;
  advice?: string;
}

export const ok = (found: string): Finding => ({ status: "ok", found });
export const warning = (found: string, advice: string): Finding => ({ status: "warning", found, advice });
export const failed = (found: string, advice: string): Finding => ({ status: "failed", found, advice });

/** An error as a finding: its hint is what to do. */
export function findingFrom(error: unknown): Finding {
  if (error instanceof MulliganError) {
    return {
      status: "failed",
      found: error.message,
      ...(error.hint !== undefined && { advice: error.hint }),
    };
  }
  return failed(
    String(error),
    "a mistake in the task's code, or a bug of Mulligan's: the other commands show where it happens",
  );
}
