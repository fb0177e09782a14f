/**
 * What an engine trains on: tokens and per-token numbers, nothing about language or the method.
 * Same fields as the Tinker protocol's Datum; position t predicts targets[t] from tokens[0..t].
 */

export interface Datum {
  /** Model input. // [T] */
  tokens: Int32Array;
  /** The token each position predicts; usually the input shifted by one. // [T] */
  targets: Int32Array;
  /** cross_entropy: weight of each target. // [T] */
  weights?: Float32Array;
  /** importance_sampling, ppo: ln q of each target when it was sampled. // [T] */
  logprobs?: Float32Array;
  /** importance_sampling, ppo: advantage times loss normalisation; exactly 0 where nothing is learnt. // [T] */
  advantages?: Float32Array;
  /** ln p of each target under the reference model; needed where klWeights is not 0. // [T] */
  referenceLogprobs?: Float32Array;
  /** beta times loss normalisation of the KL term; exactly 0 where there is none. // [T] */
  klWeights?: Float32Array;
}
