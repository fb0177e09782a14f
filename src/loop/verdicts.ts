/**
 * Verifies many answers at once. A verifier that fails makes a verdict "unscored" and the run goes on; one that fails
 * often is a bug of the task and stops it, before a run trains on what little is left.
 */
import { MulliganError } from "../core/errors.ts";
import { excerpt } from "../core/printable.ts";
import type { Problem, Task, Verdict, VerifyBounds } from "../core/task.ts";
import { verifyAnswer } from "../verify/verdict.ts";
import type { Decoding, Policy } from "./policy.ts";
import { type Spoken, speakInCalls, type Turn } from "./speak.ts";

/** The rows of a task by problem id. */
export type Rows = ReadonlyMap<string, unknown>;

const defaultBounds: VerifyBounds = { timeoutMs: 10_000, maxUnscoredFraction: 0.2 };
/** Of fewer answers a share says nothing. */
const fewestVerdicts = 20;
/** But that none of these could be scored is no chance. */
const fewestOfAll = 4;
const examplesShown = 3;

export function rowsOf(problems: readonly Problem[]): Rows {
  return new Map(problems.map(({ id, row }) => [id, row]));
}

/** The row of a problem. Throws `MulliganError("data")` when the failures and the task do not belong together. */
export function rowOf(rows: Rows, problemId: string): unknown {
  if (rows.has(problemId)) return rows.get(problemId);
  throw new MulliganError(
    "data",
    `failures: each must be of a problem of the task, got problem "${problemId}"`,
    {
      hint: "collect the failures again: they are of another task, other task options or other data",
    },
  );
}

export interface AnswerOptions {
  rows: Rows;
  part: "attempt" | "retry";
  decoding: Decoding;
  signal?: AbortSignal | undefined;
}

/** An utterance per turn and its verdict, in order. */
export interface Answers {
  spoken: Spoken[];
  verdicts: Verdict[];
}

/**
 * Samples an answer for each turn and verifies it, the answers of one engine call while the next is under way. Throws
 * what speak throws, and `MulliganError("task")` as soon as more of them are unscored than the task's bounds allow.
 */
export async function speakAndVerify(
  policy: Policy,
  task: Task,
  turns: readonly Turn[],
  { rows, part, decoding, signal }: AnswerOptions,
): Promise<Answers> {
  const rowOfTurn = turns.map(({ problemId }) => rowOf(rows, problemId));
  const { timeoutMs } = task.bounds ?? defaultBounds;
  const spoken: Spoken[] = [];
  const verifying: Promise<Verdict>[] = [];
  for await (const answers of speakInCalls(policy, turns, part, decoding, signal)) {
    for (const answer of answers) {
      const row = rowOfTurn[spoken.length];
      spoken.push(answer);
      verifying.push(verifyAnswer(task, answer.utterance.text, row, { timeoutMs }));
    }
  }
  return { spoken, verdicts: await scoredOf(task, turns, spoken, verifying) };
}

/**
 * The same, engine call by engine call. The next call is under way while the answers of one are verified and the caller
 * looks at them; the limit on unscored verdicts is each call's own.
 */
export async function* answerInCalls(
  policy: Policy,
  task: Task,
  turns: readonly Turn[],
  { rows, part, decoding, signal }: AnswerOptions,
): AsyncGenerator<Answers> {
  const { timeoutMs } = task.bounds ?? defaultBounds;
  let done = 0;
  for await (const spoken of speakInCalls(policy, turns, part, decoding, signal)) {
    const asked = turns.slice(done, done + spoken.length);
    done += spoken.length;
    const verifying = spoken.map(({ utterance }, i) =>
      verifyAnswer(task, utterance.text, rowOf(rows, asked[i]!.problemId), { timeoutMs }),
    );
    yield { spoken, verdicts: await scoredOf(task, asked, spoken, verifying) };
  }
}

/** The verdicts in order. Does not wait for the rest once too many are unscored: each may have taken its time limit. */
async function scoredOf(
  task: Task,
  turns: readonly Turn[],
  spoken: readonly Spoken[],
  verifying: readonly Promise<Verdict>[],
): Promise<Verdict[]> {
  const { maxUnscoredFraction } = task.bounds ?? defaultBounds;
  const limit = turns.length < fewestVerdicts ? turns.length : maxUnscoredFraction * turns.length;
  const verdicts: Verdict[] = [];
  const causes: string[] = [];
  for (const [index, verdict] of verifying.entries()) {
    verdicts.push(await verdict);
    const { kind, cause } = verdicts[index] as Verdict & { cause?: string };
    if (kind !== "unscored") continue;
    causes.push(
      `problem "${turns[index]!.problemId}", answer ${excerpt(spoken[index]!.utterance.text)}: ${cause}`,
    );
    if (causes.length > limit) throw tooManyUnscored(task, causes, verdicts.length);
  }
  if (verdicts.length >= fewestOfAll && causes.length === verdicts.length) {
    throw tooManyUnscored(task, causes, verdicts.length);
  }
  return verdicts;
}

function tooManyUnscored(task: Task, causes: readonly string[], verified: number): MulliganError {
  const { maxUnscoredFraction } = task.bounds ?? defaultBounds;
  const share = `${Number((100 * maxUnscoredFraction).toFixed(1))} %`;
  const rule = `task "${task.name}": verify may leave at most ${share} of the answers unscored`;
  const examples = causes.slice(0, examplesShown).map((cause) => `\n  ${cause}`);
  return new MulliganError(
    "task",
    `${rule}, left ${causes.length} of the first ${verified}; for example:${examples.join("")}`,
    {
      hint: "`mulligan check-task` tries it on right and wrong answers; it must say true or false of any text, within its limits",
    },
  );
}
