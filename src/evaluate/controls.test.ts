import { describe, expect, test } from "vitest";
import type { Utterance } from "../core/episode.ts";
import { END, encode, failureOf, wordTask } from "../loop/fakes.test.kit.ts";
import { rowsOf } from "../loop/verdicts.ts";
import {
  fillerLike,
  type Reflected,
  retryAfterInserted,
  runControls,
  shuffleReflections,
} from "./controls.ts";
import { evaluationOptions, partPolicy } from "./fakes.test.kit.ts";

const said = (text: string, truncated = false): Utterance => {
  const tokens = [...encode(text), ...(truncated ? [] : [END])];
  return { tokens, logprobs: tokens.map(() => -1), text, truncated };
};
const reflectedOn = (problemId: string, text: string): Reflected => ({
  failure: failureOf(problemId),
  reflection: said(text),
});

describe("shuffleReflections", () => {
  test("swaps neighbours in order of length, so that nobody keeps their own", () => {
    const reflected = [
      reflectedOn("q0", "aaaaaaaa"),
      reflectedOn("q1", "b"),
      reflectedOn("q2", "ccccccc"),
      reflectedOn("q3", "dd"),
    ];
    // by length: q1 (1), q3 (2), q2 (7), q0 (8)
    expect(shuffleReflections(reflected).map((donor) => donor?.text)).toEqual([
      "ccccccc",
      "dd",
      "aaaaaaaa",
      "b",
    ]);
  });

  test("gives the odd one out its neighbour's, and a lone one none", () => {
    const reflected = [reflectedOn("q0", "a"), reflectedOn("q1", "bb"), reflectedOn("q2", "ccc")];
    expect(shuffleReflections(reflected).map((donor) => donor?.text)).toEqual(["bb", "a", "bb"]);
    expect(shuffleReflections(reflected.slice(0, 1))).toEqual([undefined]);
  });

  test("never gives a reflection on the same problem, even of another failure", () => {
    const reflected = ["q0", "q0", "q0", "q1", "q1", "q2"].map((id, i) =>
      reflectedOn(id, `${id} ${"x".repeat(i)}`),
    );
    for (const [i, donor] of shuffleReflections(reflected).entries()) {
      expect(donor!.text.slice(0, 2)).not.toBe(reflected[i]!.failure.problemId);
    }
    expect(shuffleReflections(reflected.slice(0, 3))).toEqual([undefined, undefined, undefined]);
  });

  test("does not depend on the order of the failures", () => {
    const reflected = Array.from({ length: 9 }, (_, i) => reflectedOn(`q${i}`, `${i}`));
    const forwards = shuffleReflections(reflected).map((donor) => donor!.text);
    const backwards = shuffleReflections([...reflected].reverse()).map((donor) => donor!.text);
    expect(backwards.reverse()).toEqual(forwards);
  });
});

describe("fillerLike", () => {
  const { policy } = partPolicy({});

  test("is as long as the reflection and ends as it does", () => {
    expect(fillerLike(policy, said("hint"))).toEqual({
      tokens: [...encode("...."), END],
      logprobs: [0, 0, 0, 0, 0],
      text: "....",
      truncated: false,
    });
    expect(fillerLike(policy, said("hint", true)).tokens).toEqual(encode("...."));
    expect(fillerLike(policy, said("")).tokens).toEqual([END]);
  });

  test("keeps its length where the full stop is two tokens, and says when it is none", () => {
    const withDot = (dot: number[]) => ({
      ...policy,
      chat: { ...policy.chat, tokenizer: { encode: () => dot } },
    });
    expect(fillerLike(withDot([7, 8]), said("abc")).tokens).toEqual([7, 8, 7, END]);
    expect(() => fillerLike(withDot([]), said("abc"))).toThrow(/"\." must have a token, got none/);
  });
});

describe("runControls", () => {
  const task = wordTask();
  const options = { rows: rowsOf(task.list), decoding: evaluationOptions.decoding.retry, seed: 1, step: 0 };

  test("puts each control where the reflection was, with the same draw as after it", async () => {
    const { policy, requests } = partPolicy({
      plainRetry: (problem) => (problem === "q0" ? "yes" : "no"),
      retry: (problem, reflection) => (problem === "q0" && reflection === "to q1" ? "yes" : "throw"),
    });
    const reflected = [reflectedOn("q0", "to q0"), reflectedOn("q1", "to q1")];
    expect(await runControls(policy, task, reflected, options)).toEqual([
      { plainRetry: "solved", shuffled: "solved", filler: "unscored" },
      { plainRetry: "failed", shuffled: "unscored", filler: "unscored" },
    ]);
    expect(requests().map(({ prompt }) => prompt)).toEqual([
      "<U>q0<.><A>no<.><U>wrong q0<.><A>",
      "<U>q1<.><A>no<.><U>wrong q1<.><A>",
      "<U>q0<.><A>no<.><U>why<.><A>to q1<.><U>again q0<.><A>",
      "<U>q1<.><A>no<.><U>why<.><A>to q0<.><U>again q1<.><A>",
      "<U>q0<.><A>no<.><U>why<.><A>.....<.><U>again q0<.><A>",
      "<U>q1<.><A>no<.><U>why<.><A>.....<.><U>again q1<.><A>",
    ]);
    const own = partPolicy({});
    await retryAfterInserted(own.policy, task, reflected, options);
    const seeds = (all: { seed: number }[]) => all.map(({ seed }) => seed);
    expect(seeds(requests().slice(2, 4))).toEqual(seeds(own.requests()));
    expect(seeds(requests().slice(4, 6))).toEqual(seeds(own.requests()));
  });

  test("leaves out the shuffled one where there is no other problem", async () => {
    const { policy } = partPolicy({});
    expect(await runControls(policy, task, [reflectedOn("q0", "hm")], options)).toEqual([
      { plainRetry: "failed", filler: "failed" },
    ]);
  });
});
