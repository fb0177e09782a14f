/** Countdown as a task: generated problems, or the published rows from a file, under one of three wordings. */
import { z } from "zod";
import { MulliganError } from "../../core/errors.ts";
import { readJsonl } from "../../core/jsonl.ts";
import { hashSeed, hashText } from "../../core/rng.ts";
import type { Split, Task } from "../../core/task.ts";
import { compactAnswer } from "../compact.ts";
import { defineTask } from "../define-task.ts";
import { parseOptions } from "../options.ts";
import { solutions } from "./enumerate.ts";
import { type CountdownRow, canonicalForm, countdownSplit, generateCountdown } from "./generate.ts";
import { leaksSolution } from "./leaks.ts";
import { COUNTDOWN_PROMPTS, WORDINGS } from "./prompts.ts";
import { verifyCountdown } from "./verify.ts";

const count = z.int().min(1).optional();
const whole = z.int().min(0).max(500);

export const CountdownOptions = z.strictObject({
  wording: z
    .enum(WORDINGS)
    .default("tinyzero")
    .describe("how the problem is put; compact is the miniature's"),
  numbers: z.int().min(2).max(5).default(3).describe("numbers in a problem"),
  min: whole.default(1).describe("smallest number"),
  max: whole.default(20).describe("largest number"),
  targetMin: z.int().min(0).default(1).describe("smallest target"),
  targetMax: z.int().min(0).default(99).describe("largest target"),
  operators: z.enum(["+-*", "+-*/"]).optional().describe("default: +-* under the compact wording, else +-*/"),
  allowUnaryMinus: z.boolean().default(false).describe("accept -3 as a number"),
  allowTrailingEquals: z.boolean().default(false).describe("accept an equation that ends in = target"),
  rows: z.string().optional().describe("JSON Lines of {nums, target} instead of generated problems"),
  seed: z.int().default(0).describe("seed of the generated problems"),
  train: count.describe("training problems; default 4000, of a file all"),
  validation: count.describe("validation problems; default 500, of a file all"),
  test: count.describe("test problems; default 1000, of a file all"),
  testTargets: z
    .enum(["seen", "held-out"])
    .default("seen")
    .describe("test on targets that training has, or only on those ending in 7, which it never has"),
});

export type CountdownOptions = z.input<typeof CountdownOptions>;
type Settings = z.output<typeof CountdownOptions>;

const GENERATED: Readonly<Record<Split, number>> = { train: 4000, validation: 500, test: 1000 };

/** The Countdown task. Throws `MulliganError("config")` for options, `("data")` from `problems()` for a bad row. */
export function countdown(options: CountdownOptions = {}): Task<CountdownRow> {
  const settings = parseOptions("countdown", CountdownOptions, options);
  for (const [low, high] of [["min", "max"] as const, ["targetMin", "targetMax"] as const]) {
    if (settings[low] <= settings[high]) continue;
    const got = `got ${settings[low]} and ${settings[high]}`;
    throw new MulliganError("config", `task countdown: ${low} must not exceed ${high}, ${got}`);
  }
  const operators = settings.operators ?? (settings.wording === "compact" ? "+-*" : "+-*/");
  const prompts = COUNTDOWN_PROMPTS[settings.wording];
  const rows = (split: Split) => async () => {
    const found = settings.rows
      ? await loadRows(settings.rows, settings, split)
      : generateRows({ ...settings, operators }, split);
    return found.map((row) => ({ ...row, id: canonicalForm(row) }));
  };
  const question = (row: CountdownRow) => prompts.question(row, operators);
  const rules = { ...settings, operators, answerIn: prompts.answerIn };
  return defineTask<CountdownRow>({
    name: "countdown",
    rows: { train: rows("train"), validation: rows("validation"), test: rows("test") },
    prompt: question,
    reflectionPrompt: prompts.reflection,
    plainRetryPrompt: (row) => prompts.plainRetry(question(row)),
    verify: (answer, row) => verifyCountdown(answer, row, rules),
    answer: (row) => {
      const [solution] = solutions(row.nums, row.target, { operators });
      if (solution === undefined) return undefined;
      return prompts.answerIn === "tag" ? compactAnswer(solution) : `\\boxed{${solution}}`;
    },
    leaks: leaksSolution,
  });
}

function belongsTo(split: Split, settings: Settings, row: CountdownRow): boolean {
  const wanted = split === "test" && settings.testTargets === "held-out" ? "held-out-target" : split;
  return countdownSplit(row) === wanted;
}

function generateRows(settings: Settings & { operators: "+-*" | "+-*/" }, split: Split): CountdownRow[] {
  return generateCountdown({
    ...settings,
    count: settings[split] ?? GENERATED[split],
    seed: hashSeed(settings.seed, hashText(split)),
    exclude: (_, row) => !belongsTo(split, settings, row),
  });
}

const FileRow = z.object({ nums: z.array(z.int().min(0)).min(1), target: z.int() });

/** The rows of a split in the file's order; a problem that comes again, in whatever order of numbers, is left out. */
async function loadRows(path: string, settings: Settings, split: Split): Promise<CountdownRow[]> {
  const rows = new Map<string, CountdownRow>();
  for (const { line, value } of await readJsonl(path)) {
    const parsed = FileRow.safeParse(value);
    if (!parsed.success) {
      const { path: field, message } = parsed.error.issues[0]!;
      const what = field.length > 0 ? `${field.join(".")}: ${message}` : message;
      throw new MulliganError("data", `${path}, line ${line}: ${what}`, {
        hint: 'a row looks like {"nums": [44, 19, 35], "target": 98}',
      });
    }
    const canonical = canonicalForm(parsed.data);
    if (!rows.has(canonical) && belongsTo(split, settings, parsed.data)) rows.set(canonical, parsed.data);
  }
  if (rows.size === 0) throw new MulliganError("data", `${path}: no row falls to ${split}`);
  return [...rows.values()].slice(0, settings[split]);
}
