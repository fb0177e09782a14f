/**
 * The corpus that the shipped model learns from: an endless list of short dialogues of three kinds of task. Number
 * `index` is a pure function of the seed and the index, so training can stop and go on anywhere.
 */
import { MulliganError } from "../src/core/errors.ts";
import { createRng, hashSeed } from "../src/core/rng.ts";
import { drawCall } from "./calls.ts";
import { drawCountdown } from "./countdown.ts";
import {
  type CorpusOptions,
  corpusDefaults,
  type Dialogue,
  draw,
  failureTurns,
  successTurns,
  type Turn,
} from "./dialogue.ts";
import { drawRetention } from "./retention.ts";
import { assistantId, encodeText, endId, userId } from "./tokenizer.ts";

const exerciseOf = { countdown: drawCountdown, "function-calling": drawCall, retention: drawRetention };

/** Dialogue number `index` of a seed. */
export function dialogue(seed: number, index: number, options: CorpusOptions = corpusDefaults): Dialogue {
  const rng = createRng(hashSeed(seed, index));
  const kind = draw(rng, options.kinds);
  const succeeds = rng.next() < options.right[kind];
  for (let draws = 0; draws < 10_000; draws++) {
    const exercise = exerciseOf[kind](rng);
    const turns = succeeds ? successTurns(exercise) : failureTurns(exercise, kind, rng, options);
    if (lengthOf(turns) <= options.maxTokens) return { kind, turns };
  }
  throw new MulliganError("config", `corpus: no ${kind} dialogue fits in ${options.maxTokens} tokens`, {
    hint: `raise maxTokens; the default is ${corpusDefaults.maxTokens}`,
  });
}

export interface EncodedDialogue {
  /** As the chat template renders it. // [T] */
  tokens: Int32Array;
  /** Weight of each token as a target: 0 on role tokens and most users' turns, so the first token is never one. // [T] */
  weights: Float32Array;
}

/** A dialogue as tokens. The end of a turn weighs as its text does: the model must learn to stop. */
export function encodeDialogue({ turns }: Dialogue): EncodedDialogue {
  const tokens: number[] = [];
  const weights: number[] = [];
  for (const { role, text, weight } of turns) {
    tokens.push(role === "user" ? userId : assistantId);
    weights.push(0);
    for (const token of encodeText(text)) {
      tokens.push(token);
      weights.push(weight);
    }
    tokens.push(endId);
    weights.push(weight);
  }
  return { tokens: Int32Array.from(tokens), weights: Float32Array.from(weights) };
}

/** Tokens of a dialogue: each turn has its words, a role token and an end token. */
function lengthOf(turns: readonly Turn[]): number {
  return turns.reduce((sum, { text }) => sum + encodeText(text).length + 2, 0);
}
