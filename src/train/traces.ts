/** A step's groups as traces: what was sampled, joined with what the batch made of it. Reads both and changes neither. */
import type { Episode, Group, Part } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { AttemptsTrace, EpisodeTrace, ReflectionsTrace, Trace } from "../core/trace.ts";
import type { AttemptGroup, LearnFrom } from "../learn/completions.ts";
import type { Metrics } from "../learn/metric-names.ts";
import { leaksSolution } from "../loop/leaks.ts";
import { meanSolved } from "../loop/retry.ts";
import { type Rows, rowOf } from "../loop/verdicts.ts";
import type { StepBatch } from "./gather.ts";

interface TraceContext {
  task: Task;
  rows: Rows;
  learnFrom: LearnFrom;
  step: number;
}

/** One trace per group, in order. Throws `MulliganError("task")` when the task's `leaks` or `prompt` does. */
export function tracesOf(
  { groups, attemptGroups, batch }: Pick<StepBatch, "groups" | "attemptGroups" | "batch">,
  context: TraceContext,
): Trace[] {
  // completions were made in the order of groups and of what is in them
  const advantages = batch.advantages.values();
  const next = () => advantages.next().value ?? null;
  const stateOf = (p: number) => batch.groups[p]!.state;
  return [
    ...groups.map((group, p) => reflectionsTrace(group, stateOf(p), next, context)),
    ...attemptGroups.map((group, p) => attemptsTrace(group, stateOf(p), next, context)),
  ];
}

/** What the verifier says of the retries, whatever the reward was, and how many reflections give a solution away. */
export function episodeMetrics(traces: readonly Trace[]): Metrics {
  const episodes = traces.flatMap((trace) => (trace.kind === "reflections" ? trace.episodes : []));
  const verdicts = episodes.flatMap(({ retries }) => retries.map(({ verdict }) => verdict));
  const rescueRate = meanSolved(verdicts);
  const leaks = episodes.map((episode) => episode.leaks).filter((leak) => leak !== undefined);
  return {
    ...(rescueRate !== null && { "rescue/rate": rescueRate }),
    ...(leaks.length > 0 && { "reflection/leak_rate": leaks.filter(Boolean).length / leaks.length }),
  };
}

function reflectionsTrace(
  { failure, episodes }: Group,
  state: ReflectionsTrace["state"],
  next: () => number | null,
  context: TraceContext,
): ReflectionsTrace {
  const { id: failureId, problemId, conversation, attempt, verdict } = failure;
  return {
    step: context.step,
    kind: "reflections",
    ...{ failureId, problemId },
    question: questionOf(problemId, context),
    prompt: tokensOf(conversation, "prompt"),
    ...{ attempt, verdict, state },
    episodes: episodes.map((episode) => episodeTrace(episode, next, context)),
  };
}

function episodeTrace(
  episode: Episode,
  next: () => number | null,
  { task, rows, learnFrom }: TraceContext,
): EpisodeTrace {
  const { conversation, reflection, retries, reward } = episode;
  const leaks = leaksSolution(task, episode, rows);
  const perRetry = learnFrom !== "reflection";
  return {
    reflectionPrompt: tokensOf(conversation, "reflection-prompt"),
    reflection,
    retryPrompt: tokensOf(conversation, "retry-prompt"),
    retries: retries.map((retry) => ({ ...retry, ...(perRetry && { advantage: next() }) })),
    reward,
    ...(!perRetry && { advantage: next() }),
    ...(leaks !== undefined && { leaks }),
  };
}

function attemptsTrace(
  { problemId, attempts }: AttemptGroup,
  state: AttemptsTrace["state"],
  next: () => number | null,
  context: TraceContext,
): AttemptsTrace {
  return {
    step: context.step,
    kind: "attempts",
    problemId,
    question: questionOf(problemId, context),
    prompt: attempts[0] ? tokensOf(attempts[0].conversation, "prompt") : [],
    state,
    attempts: attempts.map(({ attempt, verdict }) => ({ attempt, verdict, advantage: next() })),
  };
}

function questionOf(problemId: string, { task, rows }: TraceContext): string {
  const question = task.prompt(rowOf(rows, problemId)).at(-1);
  if (question) return question.content;
  throw new MulliganError(
    "task",
    `task "${task.name}": prompt must give messages, gave none on problem "${problemId}"`,
  );
}

function tokensOf({ tokens, spans }: Episode["conversation"], part: Part): readonly number[] {
  const span = spans.find((candidate) => candidate.part === part);
  return span ? tokens.slice(span.start, span.end) : [];
}
