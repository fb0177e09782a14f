import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Episode, Group, Part, Span, Utterance } from "../core/episode.ts";
import type { Verdict } from "../core/task.ts";
import {
  type Completion,
  completionLimit,
  completionsFromAttempts,
  completionsFromEpisodes,
  withControlRewards,
} from "./completions.ts";
import { type BatchOptions, buildBatch } from "./datums.ts";
import { episodeReward } from "./rewards.ts";

const solved: Verdict = { kind: "solved" };
const failed: Verdict = { kind: "failed", feedback: "got 7" };
const unscored: Verdict = { kind: "unscored", cause: "timed out" };

const options: BatchOptions = {
  scaleRewards: "group",
  lossType: "dapo",
  beta: 0.04,
  maxCompletionLength: 8,
  gradientAccumulationSteps: 1,
  maskTruncatedCompletions: false,
};

/** An utterance whose tokens count up from `first` and whose log-probabilities are the negated tokens. */
function utterance(first: number, length: number, truncated = false): Utterance {
  const tokens = Array.from({ length }, (_, i) => first + i);
  return { tokens, logprobs: tokens.map((token) => -token), text: tokens.join(" "), truncated };
}

interface Lengths {
  prompts?: number;
  attempt?: number;
  reflection?: number;
  retry?: number;
}

/** Prompts hold tokens from 0, the attempt 100.., the reflection 200.., retry k 300 + 10k. */
function episode(verdicts: readonly Verdict[], lengths: Lengths = {}, truncated = false): Episode {
  const { prompts = 2, attempt = 1, reflection = 3, retry = 2 } = lengths;
  const said = { attempt: utterance(100, attempt), reflection: utterance(200, reflection, truncated) };
  const prompt = utterance(0, prompts).tokens;
  const parts: [Part, readonly number[]][] = [
    ["prompt", prompt],
    ["attempt", said.attempt.tokens],
    ["reflection-prompt", prompt],
    ["reflection", said.reflection.tokens],
    ["retry-prompt", prompt],
  ];
  const tokens: number[] = [];
  const spans: Span[] = parts.map(([part, added]) => {
    const start = tokens.length;
    tokens.push(...added);
    return { part, start, end: tokens.length };
  });
  const retries = verdicts.map((verdict, k) => ({ utterance: utterance(300 + 10 * k, retry), verdict }));
  const reward = episodeReward(verdicts);
  return { failureId: "p/0", problemId: "p", conversation: { tokens, spans }, ...said, retries, reward };
}

function group(...episodes: Episode[]): Group {
  const { conversation, attempt } = episodes[0]!;
  const failure = { id: "p/0", problemId: "p", conversation, attempt, verdict: failed };
  return { failure, episodes };
}

describe("completionsFromEpisodes", () => {
  const pair = group(episode([solved, failed]), episode([unscored, failed]));

  test("ends with the reflection and learns all of it, so that no retry can", () => {
    const [first, second] = completionsFromEpisodes([pair], "reflection");
    expect(first).toEqual({
      tokens: [0, 1, 100, 0, 1, 200, 201, 202],
      learn: [{ start: 5, end: 8, logprobs: [-200, -201, -202] }],
      reward: 0.5,
      verifierReward: 0.5,
      groupIndex: 0,
      truncated: false,
    });
    expect(second!.reward).toBe(0);
  });

  test("gives each retry a completion with its own verdict, behind the whole conversation", () => {
    const completions = completionsFromEpisodes([pair], "retry");
    expect(completions.map(({ reward }) => reward)).toEqual([1, 0, null, 0]);
    expect(completions.map(({ groupIndex }) => groupIndex)).toEqual([0, 0, 0, 0]);
    expect(completions[1]!.tokens).toEqual([0, 1, 100, 0, 1, 200, 201, 202, 0, 1, 310, 311]);
    expect(completions[1]!.learn).toEqual([{ start: 10, end: 12, logprobs: [-310, -311] }]);
  });

  test("learns reflection and retry but not the prompt between them", () => {
    const [first] = completionsFromEpisodes([pair], "reflection+retry");
    expect(first!.learn.map(({ start, end }) => [start, end])).toEqual([
      [5, 8],
      [10, 12],
    ]);
  });

  test("says which completions have a learnt span that was cut", () => {
    const cut = [group(episode([solved], {}, true))];
    expect(completionsFromEpisodes(cut, "reflection")[0]!.truncated).toBe(true);
    expect(completionsFromEpisodes(cut, "retry")[0]!.truncated).toBe(false);
    expect(completionsFromEpisodes(cut, "reflection+retry")[0]!.truncated).toBe(true);
  });

  test("refuses a conversation whose reflection is not what was sampled", () => {
    const good = episode([solved]);
    const longer = { ...good, reflection: utterance(200, 4) };
    expect(() => completionsFromEpisodes([group(longer)], "reflection")).toThrow(/reflection span must hold/);
    const other = { ...good, reflection: utterance(201, 3) };
    expect(() => completionsFromEpisodes([group(other)], "reflection")).toThrow(/reflection span must hold/);
  });
});

describe("completionsFromAttempts", () => {
  test("learns first attempts, solved ones too, one group per problem", () => {
    const { conversation, attempt } = episode([]);
    const attempts = [solved, failed, unscored].map((verdict) => ({ conversation, attempt, verdict }));
    const completions = completionsFromAttempts([{ attempts }, { attempts }]);
    expect(completions.map(({ reward }) => reward)).toEqual([1, 0, null, 1, 0, null]);
    expect(completions.map(({ groupIndex }) => groupIndex)).toEqual([0, 0, 0, 1, 1, 1]);
    expect(completions[0]!.tokens).toEqual([0, 1, 100]);
    expect(completions[0]!.learn).toEqual([{ start: 2, end: 3, logprobs: [-100] }]);
  });
});

test("completionLimit adds the limits of the spans that learn", () => {
  const limits = { maxAttemptLength: 32, maxCompletionLength: 24 };
  expect(completionLimit("reflection", limits)).toBe(24);
  expect(completionLimit("answer", limits)).toBe(32);
  expect(completionLimit("retry", limits)).toBe(32);
  expect(completionLimit("reflection+retry", limits)).toBe(56);
});

test("withControlRewards replaces the reward and keeps the verifier's", () => {
  const completions = completionsFromEpisodes([group(episode([solved]), episode([unscored]))], "reflection");
  const inverted = withControlRewards(completions, "inverted", { seed: 0, step: 0 });
  expect(inverted.map(({ reward }) => reward)).toEqual([0, null]);
  expect(inverted.map(({ verifierReward }) => verifierReward)).toEqual([1, null]);
});

describe("for any episodes", () => {
  const length = fc.integer({ min: 1, max: 5 });
  const episodes = fc
    .record({
      lengths: fc.record({ prompts: length, attempt: length, reflection: length, retry: length }),
      verdicts: fc.array(fc.constantFrom(solved, failed, unscored), { minLength: 1, maxLength: 3 }),
      truncated: fc.boolean(),
    })
    .map(({ lengths, verdicts, truncated }) => episode(verdicts, lengths, truncated));
  const groups = fc.array(fc.array(episodes, { minLength: 1, maxLength: 6 }).map((all) => group(...all)));

  test("advantage and KL weight are on the targets that are reflection tokens, and exactly zero elsewhere", () => {
    fc.assert(
      fc.property(groups, (all) => {
        const completions = completionsFromEpisodes(all, "reflection");
        const batch = buildBatch(completions, options);
        for (const [d, datum] of batch.datums.entries()) {
          const advantage = batch.advantages[batch.live[d]!]!;
          const isReflection = [...datum.targets].map((token) => token >= 200 && token < 300);
          expect([...datum.klWeights!].map((weight) => weight !== 0)).toEqual(isReflection);
          // a reward at the group's mean gives a live member the advantage 0
          expect([...datum.advantages!].map((a) => a !== 0)).toEqual(
            isReflection.map((learns) => learns && advantage !== 0),
          );
          expect([...datum.logprobs!]).toEqual(
            [...datum.targets].map((token, t) => (isReflection[t] ? -token : 0)),
          );
        }
      }),
    );
  });

  test("input and targets are the conversation up to the reflection's last token, shifted by one", () => {
    fc.assert(
      fc.property(groups, (all) => {
        const batch = buildBatch(completionsFromEpisodes(all, "reflection"), options);
        const flat = all.flatMap(({ episodes }) => episodes);
        for (const [d, datum] of batch.datums.entries()) {
          const { conversation, reflection } = flat[batch.live[d]!]!;
          const full = conversation.tokens.slice(0, conversation.spans[3]!.end);
          expect([...datum.tokens]).toEqual(full.slice(0, -1));
          expect([...datum.targets]).toEqual(full.slice(1));
          expect(datum.targets.at(-1)).toBe(reflection.tokens.at(-1));
        }
      }),
    );
  });

  test("in every mode, an unscored retry gives no datum of its own", () => {
    fc.assert(
      fc.property(groups, fc.constantFrom("retry", "reflection+retry"), (all, learnFrom) => {
        const completions = completionsFromEpisodes(all, learnFrom as "retry");
        const { live } = buildBatch(completions, options);
        expect(live.filter((i) => completions[i]!.reward === null)).toEqual([]);
      }),
    );
  });

  test("constant rewards give no datums at all, whatever the reward", () => {
    fc.assert(
      fc.property(groups, fc.constantFrom(0, 0.5, 1, null), (all, reward) => {
        const constant: Completion[] = completionsFromEpisodes(all, "reflection").map((c) => ({
          ...c,
          reward,
        }));
        expect(buildBatch(constant, options).datums).toEqual([]);
      }),
    );
  });
});
