/** Estimators of a Kullback-Leibler divergence from single tokens (Schulman 2020, "Approximating KL divergence"). */

export type KlEstimator = "k1" | "k2" | "k3";

/** Of KL(p ‖ reference), from ln p and ln p_ref of a token that p drew, in nats. */
export function estimateKl(logprob: number, reference: number, estimator: KlEstimator): number {
  const difference = reference - logprob;
  switch (estimator) {
    case "k1":
      return -difference;
    case "k2":
      return 0.5 * difference ** 2;
    case "k3":
      return Math.expm1(difference) - difference;
  }
}
