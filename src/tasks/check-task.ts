/**
 * Tries a task's verifier before a run relies on it: on right answers, which must pass, and on junk, which must not. A
 * verifier that passes junk or fails the gold answer is the commonest bug of a task.
 */
import { MulliganError } from "../core/errors.ts";
import { median } from "../core/median.ts";
import { createRng, hashText } from "../core/rng.ts";
import type { Problem, Split, Task, Verdict } from "../core/task.ts";
import { verifyAnswer } from "../verify/verdict.ts";
import { SPLITS } from "./split.ts";

export interface CheckOptions {
  /** Most rows to try, evenly spaced over all splits. */
  rows: number;
  /** Rows that are judged side by side. Default 1. */
  workers?: number;
  signal?: AbortSignal;
  /** A clock in milliseconds. */
  now?: () => number;
}

/** What the verifier said of one sort of answer. */
export interface Probe {
  name: string;
  /** "either": a strict verifier may fail what a lenient one passes. */
  expected: "solved" | "failed" | "either";
  solved: number;
  failed: number;
  unscored: number;
  /** The first few verdicts that were not expected, unscored ones too. */
  surprises: { problemId: string; answer: string; verdict: Verdict }[];
}

export interface TaskCheck {
  name: string;
  problems: Readonly<Record<Split, number>>;
  example: { id: string; prompt: string };
  probes: Probe[];
  /** Answers that were judged twice, differently. */
  changed: number;
  /** Of one verdict. */
  milliseconds: { median: number; most: number };
}

const surprisesKept = 3;
/** Other rows' answers tried on a row: among so many, one is wrong for it even where rows share answers ("yes", "no"). */
const othersTried = 8;

/**
 * Judges every answer twice, but no more of a sort once three could not be judged. Throws what the rows throw,
 * `MulliganError("task")` when a function of the task throws, or the signal's reason.
 */
export async function checkTask(task: Task, options: CheckOptions): Promise<TaskCheck> {
  const { rows, workers = 1, signal, now = () => performance.now() } = options;
  const present = task.splits ?? SPLITS;
  const splits = await Promise.all(
    SPLITS.map((split) => (present.includes(split) ? task.problems(split) : [])),
  );
  const problems = spaced(splits.flat(), rows);
  const example = problems[0]!;
  const times: number[] = [];
  let changed = 0;

  const judge = async (answer: string, { row }: Problem): Promise<Verdict> => {
    signal?.throwIfAborted();
    const verify = () => verifyAnswer(task, answer, row, task.bounds);
    const start = now();
    const verdict = await verify();
    times.push(now() - start);
    if (verdict.kind !== "unscored" && (await verify()).kind !== verdict.kind) changed++;
    return verdict;
  };
  const run = async ({ name, expected, answersTo }: ProbeKind): Promise<Probe> => {
    const probe: Probe = { name, expected, solved: 0, failed: 0, unscored: 0, surprises: [] };
    const judgeRow = async (problem: Problem, index: number) => {
      let judged: { answer: string; verdict: Verdict } | undefined;
      for (const answer of answersTo(problem, index)) {
        judged = { answer, verdict: await judge(answer, problem) };
        if (judged.verdict.kind !== "solved") break;
      }
      return judged && { problemId: problem.id, ...judged };
    };
    // no more once some could not be judged: each may have taken its whole time limit
    for (let start = 0; start < problems.length && probe.unscored < surprisesKept; start += workers) {
      const some = problems.slice(start, start + workers);
      for (const judged of await Promise.all(some.map((problem, i) => judgeRow(problem, start + i)))) {
        if (!judged) continue;
        const { kind } = judged.verdict;
        probe[kind]++;
        const isExpected = kind === expected || (expected === "either" && kind !== "unscored");
        if (!isExpected && probe.surprises.length < surprisesKept) probe.surprises.push(judged);
      }
    }
    return probe;
  };

  const probes: Probe[] = [];
  for (const kind of probesOf(task, problems)) probes.push(await run(kind));
  const counts = SPLITS.map((split, i) => [split, splits[i]!.length]);
  return {
    name: task.name,
    problems: Object.fromEntries(counts) as Record<Split, number>,
    example: { id: example.id, prompt: promptText(task, example) },
    probes,
    changed,
    milliseconds: { median: median(times), most: times.reduce((most, time) => Math.max(most, time), 0) },
  };
}

/** Did every gold answer pass, every junk fail, and every answer get a verdict? */
export function isSound({ probes }: TaskCheck): boolean {
  return probes.every(({ surprises }) => surprises.length === 0);
}

/** Gold answers that were tried. */
export function goldsOf({ probes }: TaskCheck): number {
  return probes.reduce((sum, probe) => sum + (probe.expected === "solved" ? judgedBy(probe) : 0), 0);
}

/** What is not sound, a phrase for each sort of answer: "empty: 3 of 50 pass". */
export function mistakesOf({ probes }: TaskCheck): string[] {
  return probes.filter(({ surprises }) => surprises.length > 0).map(mistakeOf);
}

function mistakeOf(probe: Probe): string {
  const { name, expected, solved, failed, unscored } = probe;
  const wrong = expected === "solved" ? failed : expected === "failed" ? solved : 0;
  const all = judgedBy(probe);
  const parts = [
    ...(wrong > 0 ? [`${wrong} of ${all} ${expected === "solved" ? "fail" : "pass"}`] : []),
    ...(unscored > 0 ? [`${unscored} of ${all} cannot be judged`] : []),
  ];
  return `${name}: ${parts.join(", ")}`;
}

const judgedBy = ({ solved, failed, unscored }: Probe) => solved + failed + unscored;

interface ProbeKind {
  name: string;
  expected: Probe["expected"];
  /** Tried in turn until one does not pass; none: the problem is left out. */
  answersTo(problem: Problem, index: number): readonly string[];
}

function probesOf(task: Task, problems: readonly Problem[]): ProbeKind[] {
  const golds = problems.map((problem) => called("answer", problem, () => task.answer?.(problem.row)));
  const goldOf = (index: number) => golds.slice(index, index + 1).filter((gold) => gold !== undefined);
  const surrounded = (index: number) =>
    goldOf(index).map((gold) => `I think that the answer is this:\n${gold}\nIs it right?`);
  const othersOf = (index: number) => {
    const [own] = goldOf(index);
    const others = new Set<string>();
    for (let step = 1; own !== undefined && step < golds.length && others.size < othersTried; step++) {
      const other = golds[(index + step) % golds.length];
      if (other !== undefined && other !== own) others.add(other);
    }
    return [...others];
  };
  return [
    { name: "gold answer", expected: "solved", answersTo: (_, index) => goldOf(index) },
    { name: "gold among other words", expected: "either", answersTo: (_, index) => surrounded(index) },
    { name: "other rows' gold answers", expected: "failed", answersTo: (_, index) => othersOf(index) },
    { name: "empty", expected: "failed", answersTo: () => [""] },
    { name: "random text", expected: "failed", answersTo: ({ id }) => [randomText(id)] },
    { name: "the prompt itself", expected: "failed", answersTo: (problem) => [promptText(task, problem)] },
  ];
}

/** Eight words of small letters and digits, always the same for a problem. */
function randomText(id: string): string {
  const rng = createRng(hashText(id));
  const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
  const word = () => Array.from({ length: rng.int(1, 9) }, () => rng.choice(letters)).join("");
  return Array.from({ length: 8 }, word).join(" ");
}

function promptText(task: Task, problem: Problem): string {
  const messages = called("prompt", problem, () => task.prompt(problem.row));
  return messages.map(({ content }) => content).join("\n");
}

/** The task's own code, whose mistakes are the user's. */
function called<T>(what: string, { id }: Problem, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof MulliganError) throw cause;
    throw new MulliganError("task", `problem "${id}": ${what} threw: ${cause}`, {
      hint: "the functions of a task must work for every row",
      cause,
    });
  }
}

/** At most `count` items, the first one always among them. */
function spaced<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}
