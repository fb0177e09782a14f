/** The choice of one token from its scores: temperature, top-k, top-p, then inversion at a given uniform number. */
import type { SamplingParams } from "../contract.ts";

export interface Choice {
  token: number;
  /** ln q of the token under the distribution it was drawn from; 0 for greedy, a certain choice. */
  logprob: number;
}

export type ChoiceParams = Pick<SamplingParams, "temperature" | "topP" | "topK">;

/** Chooses from `scores` [V] by inverting the cumulative distribution at u in [0, 1). Ties go to the lower id. */
export function chooseToken(scores: Float32Array, params: ChoiceParams, u: number): Choice {
  if (params.temperature === 0) return { token: argmax(scores), logprob: 0 };
  const filtered = params.topK > 0 || params.topP < 1;
  return filtered ? chooseFiltered(scores, params, u) : chooseFromAll(scores, params.temperature, u);
}

function argmax(scores: Float32Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  return best;
}

function chooseFromAll(scores: Float32Array, temperature: number, u: number): Choice {
  const highest = scores[argmax(scores)]!;
  let total = 0;
  for (let i = 0; i < scores.length; i++) total += Math.exp((scores[i]! - highest) / temperature);
  let rest = u * total;
  let token = -1;
  for (let i = 0; i < scores.length; i++) {
    const mass = Math.exp((scores[i]! - highest) / temperature);
    if (mass > 0) token = i; // rounding may leave a remainder at the end: the last possible token takes it
    rest -= mass;
    if (rest < 0) break;
  }
  return { token, logprob: (scores[token]! - highest) / temperature - Math.log(total) };
}

/** Keeps the topK highest, then the smallest set of highest whose probability reaches topP (nucleus sampling). */
function chooseFiltered(scores: Float32Array, { temperature, topP, topK }: ChoiceParams, u: number): Choice {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const highest = scores[kept[0]!]!;
  const masses = kept.map((i) => Math.exp((scores[i]! - highest) / temperature));
  const reach = topP * masses.reduce((a, b) => a + b, 0);
  let total = 0;
  let size = 0;
  while (size < kept.length && (size === 0 || total < reach)) total += masses[size++]!;
  let rest = u * total;
  let chosen = 0;
  while (chosen < size - 1) {
    rest -= masses[chosen]!;
    if (rest < 0) break;
    chosen++;
  }
  return {
    token: kept[chosen]!,
    logprob: (scores[kept[chosen]!]! - highest) / temperature - Math.log(total),
  };
}
