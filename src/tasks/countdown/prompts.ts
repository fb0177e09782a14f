/**
 * How a Countdown problem is put to a model. A wording also fixes where the answer stands, since format alone moves
 * accuracy by points (method.md §7): one wording, one parser, for every arm of a study.
 */
import { COMPACT_REFLECTION, compactRetry } from "../compact.ts";
import { PAPER_REFLECTION, paperRetry } from "../define-task.ts";
import type { Operators } from "./enumerate.ts";
import type { CountdownRow } from "./generate.ts";

export const WORDINGS = ["tinyzero", "boxed", "compact"] as const;
export type Wording = (typeof WORDINGS)[number];

export interface CountdownPrompts {
  question(row: CountdownRow, operators: Operators): string;
  reflection: string;
  plainRetry(question: string): string;
  /** Where the answer stands: `<answer>…</answer>` or `\boxed{…}`. */
  answerIn: "tag" | "boxed";
}

export const COUNTDOWN_PROMPTS: Readonly<Record<Wording, CountdownPrompts>> = {
  // TinyZero's own, less "Show your work in <think> </think> tags": the paper's models answer at once
  tinyzero: {
    question: ({ nums, target }, operators) =>
      `Using the numbers [${nums.join(", ")}], create an equation that equals ${target}. ` +
      `You can use basic arithmetic operations (${[...operators].join(", ")}) and each number can only be used once. ` +
      "Return the final answer in <answer> </answer> tags, for example <answer> (1 + 2) / 3 </answer>.",
    reflection: PAPER_REFLECTION,
    plainRetry: paperRetry,
    answerIn: "tag",
  },
  // the paper's example, as recalled (method.md §2.2): unverified
  boxed: {
    question: ({ nums, target }, operators) =>
      `Using only the numbers in the list [${nums.join(", ")}], create an equation that equals ${target}. ` +
      `You can use basic arithmetic operations (${[...operators].join(", ")}) and each number can only be used once. ` +
      "Please reason step by step, and put your final answer within \\boxed{}.",
    reflection: PAPER_REFLECTION,
    plainRetry: paperRetry,
    answerIn: "boxed",
  },
  compact: {
    question: ({ nums, target }) => `make ${target} from ${nums.join(",")}`,
    reflection: COMPACT_REFLECTION,
    plainRetry: compactRetry,
    answerIn: "tag",
  },
};
