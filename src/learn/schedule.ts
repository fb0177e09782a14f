/** The learning rate of each optimiser step, a pure function of the step: the schedules of transformers. */

export interface ScheduleOptions {
  /** Peak rate. */
  learningRate: number;
  lrSchedulerType: "constant" | "linear" | "cosine";
  /** Steps over which the rate rises linearly from 0 to the peak. */
  warmupSteps: number;
  /** Where linear and cosine reach 0. */
  maxSteps: number;
}

/**
 * The rate of optimiser step `step`, counted from 0. As in transformers, the first of `warmupSteps` has rate 0, step
 * `warmupSteps` is the first at the peak, and the last step of linear and cosine is one short of 0.
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { learningRate, lrSchedulerType, warmupSteps, maxSteps } = options;
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, maxSteps - warmupSteps));
  switch (lrSchedulerType) {
    case "constant":
      return learningRate;
    case "linear":
      return learningRate * (1 - progress);
    case "cosine":
      return learningRate * 0.5 * (1 + Math.cos(Math.PI * progress));
  }
}
