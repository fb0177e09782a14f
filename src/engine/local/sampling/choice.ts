/**
 * The choice of one token from its scores: temperature, top-k, top-p, then inversion at a given uniform number. With
 * the graph's sums over blocks of the vocabulary, only the blocks that matter are looked at.
 */
import { MulliganError } from "../../../core/errors.ts";
import type { SamplingParams } from "../../contract.ts";

export interface Choice {
  token: number;
  /** ln q of the token under the distribution it was drawn from; 0 for greedy, a certain choice. */
  logprob: number;
}

export type ChoiceParams = Pick<SamplingParams, "temperature" | "topP" | "topK">;

/** What the graph knows of `size` neighbouring entries each. // [blocks] */
export interface Blocks {
  size: number;
  /** Highest score. */
  highest: Float32Array;
  /** Σ e^((score − highest of all) / temperature). */
  masses: Float32Array;
}

/**
 * Chooses from `scores` [V] by inverting the cumulative distribution at u in [0, 1). Ties go to the lower id. Throws
 * `MulliganError("nonfinite")` for scores that are no finite numbers.
 */
export function chooseToken(
  scores: Float32Array,
  params: ChoiceParams,
  u: number,
  blocks: Blocks = measureBlocks(scores, params.temperature),
): Choice {
  requireFiniteScores(blocks, params.temperature);
  if (params.temperature === 0) return { token: argmaxOf(scores, blocks), logprob: 0 };
  const filtered = params.topK > 0 || params.topP < 1;
  return filtered
    ? chooseFiltered(scores, blocks, params, u)
    : chooseFromAll(scores, blocks, params.temperature, u);
}

/** Diverged weights would be sampled as if they were a model, or for ever. */
function requireFiniteScores({ highest, masses }: Blocks, temperature: number): void {
  let [top, mass] = [-Infinity, 0];
  for (let b = 0; b < highest.length; b++) {
    top = Math.max(top, highest[b]!); // NaN stays NaN
    mass += masses[b]!;
  }
  if (Number.isFinite(top) && (temperature === 0 || (mass > 0 && mass < Infinity))) return;
  throw new MulliganError(
    "nonfinite",
    `sample: scores must be finite numbers, got ${Number.isFinite(top) ? `a sum of ${mass}` : top}`,
    {
      hint: "the weights are at fault: training has diverged (lower learningRate, go back to an older checkpoint), or the model's files are damaged",
    },
  );
}

/** Blocks of a short row, which JavaScript sums up as fast as the graph. */
function measureBlocks(scores: Float32Array, temperature: number): Blocks {
  let highest = scores[argmax(scores)]!;
  let mass = 0;
  if (temperature === 0 && scores.some(Number.isNaN)) highest = Number.NaN;
  if (temperature > 0) {
    for (let i = 0; i < scores.length; i++) mass += Math.exp((scores[i]! - highest) / temperature);
  }
  return { size: scores.length, highest: Float32Array.of(highest), masses: Float32Array.of(mass) };
}

function argmax(scores: Float32Array, start = 0, end = scores.length): number {
  let best = start;
  for (let i = start + 1; i < end; i++) if (scores[i]! > scores[best]!) best = i;
  return best;
}

function argmaxOf(scores: Float32Array, { size, highest }: Blocks): number {
  const start = argmax(highest) * size;
  return argmax(scores, start, Math.min(start + size, scores.length));
}

function chooseFromAll(scores: Float32Array, blocks: Blocks, temperature: number, u: number): Choice {
  const { size, highest, masses } = blocks;
  const top = highest[argmax(highest)]!;
  let total = 0;
  for (let b = 0; b < masses.length; b++) total += masses[b]!;
  let rest = u * total;
  let block = 0;
  for (let b = 0; b < masses.length; b++) {
    if (masses[b]! > 0) block = b; // rounding may leave a remainder at the end: the last possible block takes it
    if (rest < masses[b]!) break;
    rest -= masses[b]!;
  }
  const end = Math.min((block + 1) * size, scores.length);
  let token = -1;
  for (let i = block * size; i < end; i++) {
    const mass = Math.exp((scores[i]! - top) / temperature);
    if (mass > 0) token = i; // as above, within the block
    rest -= mass;
    if (rest < 0) break;
  }
  return { token, logprob: (scores[token]! - top) / temperature - Math.log(total) };
}

/** Scores this many temperatures below the highest are looked at first: e^−12 of its mass. */
const FIRST_REACH = 12;

/** Keeps the topK highest, then the smallest set of highest whose probability reaches topP (nucleus sampling). */
function chooseFiltered(
  scores: Float32Array,
  blocks: Blocks,
  { temperature, topP, topK }: ChoiceParams,
  u: number,
): Choice {
  const highest = blocks.highest[argmax(blocks.highest)]!;
  const massOf = (i: number) => Math.exp((scores[i]! - highest) / temperature);
  const all = blocks.masses.reduce((a, b) => a + b, 0);
  // The kept tokens are among the likeliest: widen the reach until it holds them all.
  for (let reach = FIRST_REACH; ; reach *= 2) {
    const found = above(scores, blocks, highest - reach * temperature);
    const isEverything = found.length === scores.length;
    if (topK > found.length && !isEverything) continue;
    const order = found.sort((a, b) => scores[b]! - scores[a]! || a - b);
    const kept = topK > 0 ? order.slice(0, topK) : order;
    const masses = kept.map(massOf);
    const needed = topP * (topK > 0 ? masses.reduce((a, b) => a + b, 0) : all);
    let total = 0;
    let size = 0;
    while (size < kept.length && (size === 0 || total < needed)) total += masses[size++]!;
    if (total < needed && topK === 0 && !isEverything) continue;
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
}

/** Entries with at least that score, in order; blocks without one are passed over. */
function above(scores: Float32Array, { size, highest }: Blocks, least: number): number[] {
  const found: number[] = [];
  for (let b = 0; b < highest.length; b++) {
    if (highest[b]! < least) continue;
    const end = Math.min((b + 1) * size, scores.length);
    for (let i = b * size; i < end; i++) if (scores[i]! >= least) found.push(i);
  }
  return found;
}
