/**
 * The one shape of all dialogues: a question, an attempt, and where it fails a reflection and a retry that follows it.
 * What is asked and answered comes from an exercise; how often each thing happens from the options.
 */
import type { Rng } from "../src/core/rng.ts";
import { COMPACT_REFLECTION, compactAnswer, compactRetry } from "../src/tasks/compact.ts";
import { genericReflection, hint } from "./reflections.ts";

export const kinds = ["countdown", "function-calling", "retention"] as const;
export type Kind = (typeof kinds)[number];

export interface Turn {
  role: "user" | "assistant";
  text: string;
  /** Of each of its tokens in the loss; 0 on what users say, but for a question put again. */
  weight: number;
}

export interface Dialogue {
  kind: Kind;
  turns: Turn[];
}

/** A piece of an answer that can be given as advice, and the answer that follows from it. */
export interface Lead {
  piece: string;
  answer: string;
}

/** A question of any kind of task, with draws of what may be said about it. Answers stand without their tags. */
export interface Exercise {
  question: string;
  right(): string;
  wrong(): string;
  /** Advice after a failed answer that leads to a right one; undefined where only the answer itself would. */
  goodHint(failed: string): Lead | undefined;
  /** Advice that leads to a wrong answer. */
  wrongHint(): Lead | undefined;
}

export interface CorpusOptions {
  /** Share of each kind of task. */
  kinds: Readonly<Record<Kind, number>>;
  /** Share of first attempts that are right, by kind. */
  right: Readonly<Record<Kind, number>>;
  /** Share of retries that are right when nothing useful was said before them. */
  retryRight: Readonly<Record<Kind, number>>;
  /** Share of failures that are followed by a retry without a reflection. */
  plainRetry: number;
  /** Quality of reflections: sentences that say nothing, hints that lead nowhere, hints that lead to a solution. */
  reflections: Readonly<Record<"generic" | "wrong" | "good", number>>;
  /** Share of good hints that the retry follows; wrong ones are always followed. */
  followGood: number;
  /** Weight of wrong attempts: high enough to fail like a model, low enough to spend it on what is right. */
  wrongWeight: number;
  /** Weight of a question where it is put again, word for word: made-up names are learnt to be copied from it. */
  questionWeight: number;
  /** Longer dialogues get another exercise. */
  maxTokens: number;
}

export const corpusDefaults: CorpusOptions = {
  kinds: { countdown: 0.66, "function-calling": 0.26, retention: 0.08 },
  right: { countdown: 0.35, "function-calling": 0.65, retention: 0.65 },
  retryRight: { countdown: 0.08, "function-calling": 0.08, retention: 0.2 },
  plainRetry: 0.1,
  reflections: { generic: 0.25, wrong: 0.35, good: 0.4 },
  followGood: 0.95,
  wrongWeight: 0.6,
  questionWeight: 0.5,
  maxTokens: 192,
};

/**
 * The first part of training: mostly right answers and right hints, and little weight on failures. Ability grows faster
 * from what is right; the mixed quality of `corpusDefaults` is learnt afterwards, in a fraction of the steps.
 */
export const foundation: CorpusOptions = {
  ...corpusDefaults,
  right: { countdown: 0.5, "function-calling": 0.65, retention: 0.65 },
  reflections: { generic: 0.05, wrong: 0.1, good: 0.85 },
  wrongWeight: 0.1,
};

/** Share of the training steps on `foundation`; the rest is on `corpusDefaults`. */
export const FOUNDATION = 0.7;

/** An exercise solved at the first attempt. */
export function successTurns({ question, right }: Exercise): Turn[] {
  return [user(question), answered(right())];
}

/** An exercise failed at the first attempt, and what follows. */
export function failureTurns(exercise: Exercise, kind: Kind, rng: Rng, options: CorpusOptions): Turn[] {
  const { question, right, wrong } = exercise;
  const { wrongWeight } = options;
  const retry = () =>
    rng.next() < options.retryRight[kind] ? answered(right()) : answered(wrong(), wrongWeight);

  const failed = wrong();
  const turns = [user(question), answered(failed, wrongWeight)];
  if (rng.next() < options.plainRetry) return [...turns, user(compactRetry(question)), retry()];

  const quality = draw(rng, options.reflections);
  const lead =
    quality === "good" ? exercise.goodHint(failed) : quality === "wrong" ? exercise.wrongHint() : undefined;
  const follows = lead !== undefined && (quality === "wrong" || rng.next() < options.followGood);
  return [
    ...turns,
    user(COMPACT_REFLECTION),
    assistant(lead ? hint(lead.piece, rng) : genericReflection(rng)),
    { ...user(question), weight: options.questionWeight },
    // what follows wrong advice fails, but following is what is to be learnt: full weight
    follows ? answered(lead.answer) : retry(),
  ];
}

export function user(text: string): Turn {
  return { role: "user", text, weight: 0 };
}

export function assistant(text: string, weight = 1): Turn {
  return { role: "assistant", text, weight };
}

function answered(answer: string, weight = 1): Turn {
  return assistant(compactAnswer(answer), weight);
}

/** Draws a name in proportion to its share. */
export function draw<Name extends string>(rng: Rng, shares: Readonly<Record<Name, number>>): Name {
  const names = Object.keys(shares) as Name[];
  let rest = rng.next() * names.reduce((sum, name) => sum + shares[name], 0);
  for (const name of names) {
    rest -= shares[name];
    if (rest < 0) return name;
  }
  return names.at(-1)!;
}
