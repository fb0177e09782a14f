/**
 * Is this a right answer to a Countdown problem? Every number exactly once, the target exactly (method.md §2.3, without
 * the loopholes of pattern matching and eval). Always answers, whatever the text, and says what is wrong.
 */
import type { Verdict } from "../../core/task.ts";
import { lastAnswerTag, lastBoxed } from "../../verify/answer.ts";
import { evaluateExpression } from "../../verify/math/expression.ts";
import { equals, formatRational, negate, rational, subtract } from "../../verify/math/rational.ts";
import type { Operators } from "./enumerate.ts";
import type { CountdownRow } from "./generate.ts";

export interface EquationOptions {
  /** Default: all four. */
  operators?: Operators;
  /** Default false. */
  allowUnaryMinus?: boolean;
  /** Accept `… = n` where n is the target. Default false. */
  allowTrailingEquals?: boolean;
}

export interface CountdownVerifyOptions extends EquationOptions {
  /** Where the answer stands: `<answer>…</answer>` (default) or `\boxed{…}`; the last one counts. */
  answerIn?: "tag" | "boxed";
}

/** The verdict on what a model wrote. Never throws. */
export function verifyCountdown(
  text: string,
  row: CountdownRow,
  { answerIn = "tag", ...options }: CountdownVerifyOptions = {},
): Verdict {
  const equation = answerIn === "tag" ? lastAnswerTag(text) : lastBoxed(text);
  if (equation === undefined) {
    const place = answerIn === "tag" ? "<answer>…</answer>" : "\\boxed{…}";
    return { kind: "failed", feedback: `no equation: nothing in ${place}` };
  }
  return verifyEquation(plainMath(equation), row, options);
}

/** The verdict on a bare equation. Never throws. */
export function verifyEquation(text: string, row: CountdownRow, options: EquationOptions = {}): Verdict {
  const left = options.allowTrailingEquals ? withoutTarget(text, row.target) : text;
  const result = evaluateExpression(left, options);
  if (!result.ok) return { kind: "failed", feedback: `no equation: ${result.reason}` };
  const used = sorted(result.numbers);
  const given = sorted(row.nums);
  if (used !== given) return { kind: "failed", feedback: `wrong numbers: used ${used}, given ${given}` };
  const target = rational(row.target);
  if (equals(result.value, target)) return { kind: "solved" };
  const error = subtract(result.value, target);
  const [distance, side] = error.numerator < 0n ? [negate(error), "below"] : [error, "above"];
  const feedback = `missed: ${formatRational(result.value)} is ${formatRational(distance)} ${side} ${row.target}`;
  return { kind: "failed", feedback };
}

/** LaTeX's spelling of what paper shows: \times, \cdot, \div, \left( and \right). */
export function plainMath(text: string): string {
  return text
    .replace(/\\(?:times|cdot)(?![a-z])/g, "*")
    .replace(/\\div(?![a-z])/g, "/")
    .replace(/\\(?:left|right)(?=[()])/g, "");
}

/** Cuts `= n` off the end when n is the target; other text is left for the parser to refuse. */
function withoutTarget(text: string, target: number): string {
  const equals = text.lastIndexOf("=");
  return equals !== -1 && text.slice(equals + 1).trim() === String(target) ? text.slice(0, equals) : text;
}

function sorted(numbers: readonly number[]): string {
  return `[${[...numbers].sort((a, b) => a - b).join(", ")}]`;
}
