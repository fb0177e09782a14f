/**
 * Where a step's completions come from: episodes on failures (the paper's, and its controls), or first attempts at
 * problems (plain GRPO). The trainer sees completions only and cannot tell the two apart.
 */
import type { Failure, Group } from "../core/episode.ts";
import {
  type AttemptGroup,
  type Completion,
  completionsFromAttempts,
  completionsFromEpisodes,
} from "../learn/completions.ts";
import type { Metrics } from "../learn/metric-names.ts";
import { attemptProblems } from "../loop/attempt.ts";
import { reflectAndRetry } from "../loop/episode.ts";
import { refreshMetrics, type StepFailures } from "./refresh.ts";
import { attemptDecoding, reflectionDecoding, type SourceSetup } from "./sampling.ts";

/** What sampling a group for each of some items gave. */
export interface Gathering {
  /** `groupIndex` counts the items. */
  completions: Completion[];
  /** The episodes behind them; empty when first attempts learn. */
  groups: Group[];
  /** The attempts behind them; empty when episodes are learnt from. */
  attemptGroups: AttemptGroup[];
  sampledTokens: number;
}

/** What a step draws from. */
export interface StepItems {
  /** Failures, or problems: one group is sampled for each. */
  items: readonly { id: string }[];
  /** The first step that draws from them, from their beginning. */
  since: number;
  /** Of finding them, when this step did it. */
  metrics: Metrics;
  sampledTokens: number;
}

export interface Source {
  /** For steps in order. */
  itemsFor(step: number): Promise<StepItems>;
  /** Groups for some of the step's items. */
  gather(items: readonly { id: string }[], step: number): Promise<Gathering>;
}

/** Groups of reflections on failures, each followed by its retries. */
export function episodeSource(
  { policy, task, config, rows }: SourceSetup,
  failuresFor: (step: number) => Promise<StepFailures>,
): Source {
  const { learnFrom, numGenerations, retriesPerReflection, seed } = config;
  if (learnFrom === "answer") throw new RangeError("episodeSource: first attempts have no episodes");
  let byId = new Map<string, Failure>();
  return {
    async itemsFor(step) {
      const found = await failuresFor(step);
      const { failures: items, since, collected } = found;
      byId = new Map(items.map((failure) => [failure.id, failure]));
      return { items, since, metrics: refreshMetrics(found), sampledTokens: collected?.sampledTokens ?? 0 };
    },
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
        attemptGroups: [],
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
  const items = [...rows.keys()].map((id) => ({ id }));
  return {
    itemsFor: async () => ({ items, since: 1, metrics: {}, sampledTokens: 0 }),
    async gather(items, step) {
      const problems = items.map(({ id }) => ({ id, row: rows.get(id) }));
      const tries = numGenerations;
      const attempts = await attemptProblems(policy, task, problems, { tries, decoding, seed, step });
      const attemptGroups = problems.map(({ id }, p) => ({
        problemId: id,
        attempts: attempts
          .slice(p * tries, (p + 1) * tries)
          .map(({ conversation, utterance, verdict }) => ({ conversation, attempt: utterance, verdict })),
      }));
      const sampledTokens = countTokens(attempts.map(({ utterance }) => utterance));
      return {
        completions: completionsFromAttempts(attemptGroups),
        groups: [],
        attemptGroups,
        sampledTokens,
      };
    },
  };
}

function countTokens(utterances: readonly { tokens: readonly number[] }[]): number {
  return utterances.reduce((sum, { tokens }) => sum + tokens.length, 0);
}
