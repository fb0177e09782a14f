/** For tests: a run folder written by hand, with what a real run would take hours or bad luck to leave. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Utterance } from "../core/episode.ts";
import type { AttemptsTrace, ReflectionsTrace, Trace } from "../core/trace.ts";

export interface FakeRun {
  config?: Record<string, unknown>;
  metrics?: readonly Record<string, number | null>[];
  timings?: readonly Record<string, number | null>[];
  evaluations?: readonly Record<string, unknown>[];
  warnings?: readonly Record<string, unknown>[];
  traces?: readonly Trace[];
  /** Further files by name, as they are. */
  files?: Record<string, string>;
}

const CONFIG = {
  ...{ model: "mini", task: "countdown", seed: 0, maxSteps: 60, learnFrom: "reflection", reward: "verifier" },
  eval: { steps: 20, seed: 1, bootstrap: 100 },
};

export async function writeFakeRun(dir: string, run: FakeRun): Promise<string> {
  const { config, traces, files = {}, ...logs } = run;
  await mkdir(dir, { recursive: true });
  const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
  await writeFile(join(dir, "config.json"), JSON.stringify({ ...CONFIG, ...config }));
  for (const [name, values] of Object.entries(logs))
    await writeFile(join(dir, `${name}.jsonl`), lines(values));
  if (traces) await writeFile(join(dir, "traces.jsonl"), lines([{ kind: "traces", version: 1 }, ...traces]));
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return dir;
}

/** One token for each character. */
export function utterance(text: string, truncated = false): Utterance {
  const tokens = [...text].map((character) => character.codePointAt(0)!);
  return { tokens, logprobs: tokens.map((_, t) => -0.1 * (t + 1)), text, truncated };
}

/** Undoes `utterance`. */
export const codePoints = {
  decode: (tokens: readonly number[]) => String.fromCodePoint(...tokens),
  decodeWithSpecials: (tokens: readonly number[]) => String.fromCodePoint(...tokens),
};

/** A failure with one reflection for each letter: s = its retry was solved, f = failed. */
export function reflectionsTrace(step: number, retries: string, changes: Partial<ReflectionsTrace> = {}) {
  return {
    step,
    kind: "reflections",
    ...{ failureId: `p${step}#0`, problemId: `p${step}`, question: `question ${step}`, prompt: [1] },
    ...{ attempt: utterance("wrong"), verdict: { kind: "failed", feedback: "missed: by 1" } },
    state: retries.includes("s") && retries.includes("f") ? "live" : "all_failed",
    episodes: [...retries].map((letter, i) => ({
      reflectionPrompt: [2],
      reflection: utterance(`think ${i}`),
      retryPrompt: [3],
      retries: [
        {
          utterance: utterance(`retry ${i}`),
          verdict: letter === "s" ? { kind: "solved" } : { kind: "failed", feedback: "missed: by 2" },
        },
      ],
      reward: letter === "s" ? 1 : 0,
      advantage: letter === "s" ? 1.5 : -0.5,
      leaks: false,
    })),
    ...changes,
  } satisfies Trace as ReflectionsTrace;
}

/** Attempts that learn, one for each letter. */
export function attemptsTrace(step: number, verdicts: string): AttemptsTrace {
  return {
    step,
    kind: "attempts",
    ...{ problemId: `p${step}`, question: `question ${step}`, prompt: [1], state: "live" },
    attempts: [...verdicts].map((letter, i) => ({
      attempt: utterance(`attempt ${i}`),
      verdict: letter === "s" ? { kind: "solved" } : { kind: "failed", feedback: "" },
      advantage: letter === "s" ? 1 : -1,
    })),
  };
}

/** Texts that end a script, steer a terminal, write from right to left, or do not end. */
export const HOSTILE = [
  "</script><script>document.title = 'taken'</script>",
  "<!-- <script> <img src=x onerror=\"document.title = 'taken'\">",
  "line\u2028separator\u2029paragraph",
  "\u001b[31mred\u001b[0m \u0007 bell \u009b1m",
  "\u202eright to left\u202c עברית العربية",
  "x".repeat(30_000),
  "&lt;b&gt; \" ' ` {1} \\u0041 \uD800 lone",
  "",
];
