/** Does the task's verifier pass right answers and fail junk? A few rows of what `mulligan check-task` tries on many. */
import type { Task } from "../../core/task.ts";
import { checkTask, goldsOf, isSound, mistakesOf } from "../../tasks/check-task.ts";
import { type Finding, failed, findingFrom, ok, warning } from "./check.ts";

/** Each row takes about a dozen verdicts. Arbitrary. */
const ROWS = 5;

const CHECK_TASK = "`mulligan check-task` shows which answers; correct verify or the gold answers";

/** `patience` ends it between two verdicts: a verifier that hangs may take its time limit for each. */
export async function checkVerifier(task: Task, workers: number, patience: AbortSignal): Promise<Finding> {
  try {
    const check = await checkTask(task, { rows: ROWS, workers, signal: patience });
    if (!isSound(check)) return failed(mistakesOf(check).join("; "), CHECK_TASK);
    if (check.changed > 0) {
      return warning(`${check.changed} answers were judged twice and got another verdict`, CHECK_TASK);
    }
    const time = `a verdict takes ${check.milliseconds.median.toFixed(1)} ms`;
    const golds = goldsOf(check);
    if (golds > 0) return ok(`${golds} gold answers pass, junk fails; ${time}`);
    return warning(
      `junk fails, but no gold answers to try; ${time}`,
      "give the task answer(row), or the rows a column answer: a check that passes nothing teaches nothing",
    );
  } catch (error) {
    if (error !== patience.reason) return findingFrom(error);
    return failed("gave too few verdicts in the time that there was", `it hangs or is slow: ${CHECK_TASK}`);
  }
}
