/**
 * Where a step's completions come from: episodes on failures (the paper's, and its controls), or first attempts at
 * problems (plain GRPO). The trainer sees completions only and cannot tell the two apart.
 */
import type { Failure, Group } from "../core/episode.ts";
import type { Task } from "../core/task.ts";
import { type Completion, completionsFromAttempts, completionsFromEpisodes } from "../learn/completions.ts";
import { attemptProblems } from "../loop/attempt.ts";
import { reflectAndRetry } from "../loop/episode.ts";
import type { Decoding, Policy } from "../loop/policy.ts";
import type { Rows } from "../loop/verdicts.ts";
import type { MulliganConfig } from "./config.ts";

/** What sampling a group for each of some items gave. */
export interface Gathering {
  /** `groupIndex` counts the items. */
  completions: Completion[];
  /** The episodes behind them; empty when first attempts learn. */
  groups: Group[];
  sampledTokens: number;
}

export interface Source {
  /** Failures, or problems: one group is sampled for each. */
  items: readonly { id: string }[];
  gather(items: readonly { id: string }[], step: number): Promise<Gathering>;
}

export interface SourceSetup {
  policy: Policy;
  task: Task;
  config: MulliganConfig;
  rows: Rows;
}

/** Training's decoding of attempts and retries. */
export function attemptDecoding({ temperature, topP, topK, maxAttemptLength }: MulliganConfig): Decoding {
  return { temperature, topP, topK, maxTokens: maxAttemptLength };
}

/** Training's decoding of reflections. */
export function reflectionDecoding({
  temperature,
  topP,
  topK,
  maxCompletionLength,
}: MulliganConfig): Decoding {
  return { temperature, topP, topK, maxTokens: maxCompletionLength };
}

/** Groups of reflections on failures, each followed by its retries. */
export function episodeSource(
  { policy, task, config, rows }: SourceSetup,
  failures: readonly Failure[],
): Source {
  const { learnFrom, numGenerations, retriesPerReflection, seed } = config;
  if (learnFrom === "answer") throw new RangeError("episodeSource: first attempts have no episodes");
  const byId = new Map(failures.map((failure) => [failure.id, failure]));
  return {
    items: failures,
    async gather(items, step) {
      const groups = await reflectAndRetry(
        policy,
        task,
        items.map(({ id }) => byId.get(id)!),
        {
          rows,
          numGenerations,
          retriesPerReflection,
          reflectionDecoding: reflectionDecoding(config),
          retryDecoding: attemptDecoding(config),
          seed,
          step,
        },
      );
      return {
        completions: completionsFromEpisodes(groups, learnFrom),
        groups,
        sampledTokens: countTokens(
          groups.flatMap(({ episodes }) =>
            episodes.flatMap(({ reflection, retries }) => [
              reflection,
              ...retries.map(({ utterance }) => utterance),
            ]),
          ),
        ),
      };
    },
  };
}

/** Groups of first attempts at problems, solved or not. */
export function attemptSource({ policy, task, config, rows }: SourceSetup): Source {
  const { numGenerations, seed } = config;
  const decoding = attemptDecoding(config);
  return {
    items: [...rows.keys()].map((id) => ({ id })),
    async gather(items, step) {
      const problems = items.map(({ id }) => ({ id, row: rows.get(id) }));
      const tries = numGenerations;
      const attempts = await attemptProblems(policy, task, problems, { tries, decoding, seed, step });
      const groups = problems.map((_, p) => ({
        attempts: attempts
          .slice(p * tries, (p + 1) * tries)
          .map(({ conversation, utterance, verdict }) => ({ conversation, attempt: utterance, verdict })),
      }));
      const sampledTokens = countTokens(attempts.map(({ utterance }) => utterance));
      return { completions: completionsFromAttempts(groups), groups: [], sampledTokens };
    },
  };
}

function countTokens(utterances: readonly { tokens: readonly number[] }[]): number {
  return utterances.reduce((sum, { tokens }) => sum + tokens.length, 0);
}
