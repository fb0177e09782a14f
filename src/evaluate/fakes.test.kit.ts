/** For tests: a policy scripted part by part over the word task, whose problems "q0", "q1", … are solved by "yes". */
import type { Verdict } from "../core/task.ts";
import { chat, encode, failureOf, render, scriptedPolicy } from "../loop/fakes.test.kit.ts";
import type { EvaluatedPolicy, Outcome } from "./controls.ts";
import type { Evaluation, EvaluationOptions } from "./evaluation.ts";

export interface Script {
  /** The n-th request for an attempt at this problem, counted from 0. */
  attempt?: (problem: string, n: number) => string;
  reflection?: (problem: string, attempt: string) => string;
  retry?: (problem: string, reflection: string) => string;
  plainRetry?: (problem: string) => string;
}

const RETRY = /<A>([^<]*)(?:<\.>)?<U>again (q\d+)<\.><A>$/;
const REFLECTION = /<U>(q\d+)<\.><A>([^<]*)(?:<\.>)?<U>why<\.><A>$/;
const PLAIN_RETRY = /<U>wrong (q\d+)<\.><A>$/;
const ATTEMPT = /^<U>(q\d+)<\.><A>$/;

/** Says "no" wherever the script says nothing; `requests` are the rendered prompts with their seeds, in order. */
export function partPolicy(script: Script) {
  const attempts = new Map<string, number>();
  const { policy, calls } = scriptedPolicy((prompt) => {
    const attempting = ATTEMPT.exec(prompt);
    if (attempting) {
      const problem = attempting[1]!;
      const n = attempts.get(problem) ?? 0;
      attempts.set(problem, n + 1);
      return script.attempt?.(problem, n) ?? "no";
    }
    const reflecting = REFLECTION.exec(prompt);
    if (reflecting) return script.reflection?.(reflecting[1]!, reflecting[2]!) ?? "no";
    const retrying = RETRY.exec(prompt);
    if (retrying) return script.retry?.(retrying[2]!, retrying[1]!) ?? "no";
    return script.plainRetry?.(PLAIN_RETRY.exec(prompt)![1]!) ?? "no";
  });
  const evaluated: EvaluatedPolicy = { ...policy, chat: { ...chat, tokenizer: { encode } } };
  const requests = () =>
    calls.flatMap((call) => call.requests.map(({ prompt, seed }) => ({ prompt: render(prompt), seed })));
  return { policy: evaluated, calls, requests };
}

const decoding = { temperature: 1, topP: 1, topK: 0, maxTokens: 8 };

export const evaluationOptions: EvaluationOptions = {
  decoding: { attempt: decoding, reflection: { ...decoding, maxTokens: 6 }, retry: decoding },
  seed: 11,
  controls: true,
};

/** What became of one failure, in letters: s solved, f failed, u unscored. */
export interface FailureLetters {
  rescue: string;
  leaks?: boolean;
  reflection?: string;
  /** plain retry, shuffled, filler, second draw. */
  controls?: string;
}

const OUTCOMES: Record<string, Outcome> = { s: "solved", f: "failed", u: "unscored" };

/** An evaluation as if sampled: first and second tries by letter, failures of q0, q1, … */
export function evaluationFrom(firsts: string, seconds: string, failures: FailureLetters[]): Evaluation {
  const utterance = (text: string) => ({ ...failureOf("q0", text).attempt });
  return {
    task: "words",
    decoding: evaluationOptions.decoding,
    seed: 11,
    counts: { problems: firsts.length, failures: failures.length, unscored: 0 },
    problems: Array.from(firsts, (letter, i) => ({
      problemId: `q${i}`,
      first: OUTCOMES[letter]!,
      second: OUTCOMES[seconds[i]!]!,
    })),
    failures: failures.map(({ rescue, leaks, reflection = "hm", controls }, i) => {
      const [plainRetry, shuffled, filler, secondDraw] = Array.from(controls ?? "", (c) => OUTCOMES[c]!);
      return {
        failure: failureOf(`q${i}`),
        reflection: utterance(reflection),
        retry: utterance(rescue === "s" ? "yes" : "nope"),
        verdict: verdictOf(rescue),
        ...(leaks !== undefined && { leaks }),
        ...(controls && {
          controls: {
            plainRetry: plainRetry!,
            shuffled: shuffled!,
            filler: filler!,
            secondDraw: secondDraw!,
          },
        }),
      };
    }),
  };
}

function verdictOf(letter: string): Verdict {
  if (letter === "s") return { kind: "solved" };
  return letter === "u" ? { kind: "unscored", cause: "broke" } : { kind: "failed", feedback: "not yes" };
}
