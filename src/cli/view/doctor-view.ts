/** What the doctor found, a line for each check with what to do below it, and the check under way on a terminal. */
import { styleText } from "node:util";
import { count } from "../../core/count.ts";
import { printable } from "../../core/printable.ts";
import type { Check } from "../../train/doctor/check.ts";
import type { ProgressStream } from "./progress.ts";

const COLOURS = { ok: "green", warning: "yellow", failed: "red", skipped: "gray" } as const;
const STATUS_WIDTH = "skipped".length;
/** Of the longest name of a check. */
const NAME_WIDTH = "training step".length;
const INDENT = " ".repeat(STATUS_WIDTH + NAME_WIDTH + 4);

export interface DoctorView {
  checking(name: string): void;
  checked(check: Check): void;
}

export function createDoctorView(stdout: ProgressStream, stderr: ProgressStream): DoctorView {
  const clear = "\r\u001b[K";
  const isColoured = stdout.isTTY === true && !process.env.NO_COLOR;
  return {
    checking(name) {
      if (stderr.isTTY) stderr.write(`${clear}${" ".repeat(STATUS_WIDTH + 2)}${name} …`);
    },
    checked(check) {
      if (stderr.isTTY) stderr.write(clear);
      stdout.write(`${renderFinding(check, { isColoured })}\n`);
    },
  };
}

export function renderFinding({ name, status, found, advice }: Check, { isColoured = false } = {}): string {
  const padded = status.padEnd(STATUS_WIDTH);
  const mark = isColoured ? styleText(COLOURS[status], padded, { validateStream: false }) : padded;
  const [first, ...more] = printable(found).split("\n");
  const hint = advice ? printable(`→ ${advice}`).split("\n") : [];
  return [
    `${mark}  ${name.padEnd(NAME_WIDTH)}  ${first}`,
    ...[...more, ...hint].map((line) => INDENT + line),
  ].join("\n");
}

/** The last line: would a run work here? */
export function renderVerdict(checks: readonly Check[]): string {
  const warnings = checks.filter(({ status }) => status === "warning").length;
  const noted = warnings === 0 ? "" : ` (${count(warnings, "warning")} above)`;
  return `A run would work here${noted}.`;
}
