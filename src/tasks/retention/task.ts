/** The retention rows as a task: the compact wording, exact answers. */
import { z } from "zod";
import { hashSeed, hashText } from "../../core/rng.ts";
import type { Split, Task, Verdict } from "../../core/task.ts";
import { lastAnswerTag } from "../../verify/answer.ts";
import { COMPACT_REFLECTION, compactAnswer, compactRetry } from "../compact.ts";
import { defineTask } from "../define-task.ts";
import { parseOptions } from "../options.ts";
import { generateRetention, RETENTION_KINDS, type RetentionRow, retentionSplit } from "./generate.ts";

export const RetentionOptions = z.strictObject({
  kinds: z
    .array(z.enum(RETENTION_KINDS))
    .min(1)
    .default([...RETENTION_KINDS])
    .describe("skills to ask for"),
  seed: z.int().default(0).describe("seed of the generated rows"),
  train: z.int().min(1).default(1000).describe("training rows"),
  validation: z.int().min(1).default(400).describe("validation rows"),
  test: z.int().min(1).default(1000).describe("test rows"),
});

export type RetentionOptions = z.input<typeof RetentionOptions>;

/** Generated rows. Throws `MulliganError("config")`. */
export function retention(options: RetentionOptions = {}): Task<RetentionRow> {
  const settings = parseOptions("retention", RetentionOptions, options);
  const rows = (split: Split) => () =>
    generateRetention({
      count: settings[split],
      seed: hashSeed(settings.seed, hashText(split)),
      kinds: settings.kinds,
      exclude: (row) => retentionSplit(row) !== split,
    });
  return defineTask<RetentionRow>({
    name: "retention",
    rows: { train: rows("train"), validation: rows("validation"), test: rows("test") },
    prompt: ({ question }) => question,
    reflectionPrompt: COMPACT_REFLECTION,
    plainRetryPrompt: ({ question }) => compactRetry(question),
    verify: verifyRetention,
    answer: ({ answer }) => compactAnswer(answer),
  });
}

/** The answer to the letter; spaces around and between its parts do not matter. Never throws. */
export function verifyRetention(text: string, row: RetentionRow): Verdict {
  const answer = lastAnswerTag(text)?.trim().replace(/\s+/g, " ");
  if (answer === row.answer) return { kind: "solved" };
  if (answer === undefined) return { kind: "failed", feedback: "no answer: nothing in <answer>…</answer>" };
  return { kind: "failed", feedback: `wrong: ${answer.slice(0, 80)}, not ${row.answer}` };
}
