/** The method as arithmetic: rewards to advantages, episodes to datums. Pure functions; no engine, no I/O. */

export { estimateKl } from "../core/kl.ts";
export {
  type GroupAdvantages,
  type GroupState,
  type GroupSummary,
  groupAdvantages,
  type ScaleRewards,
} from "./advantages.ts";
export {
  type AttemptGroup,
  type Completion,
  completionLimit,
  completionsFromAttempts,
  completionsFromEpisodes,
  type LearnFrom,
  type LearntSpan,
  withControlRewards,
} from "./completions.ts";
export { type Batch, type BatchOptions, buildBatch, datumFromCompletion, learntLength } from "./datums.ts";
export { METRICS, type MetricName, type Metrics, TIMINGS, type Timings } from "./metric-names.ts";
export { batchMetrics, policyMetrics, samplingMetrics } from "./metrics.ts";
export { type LossType, type NormalizationOptions, tokenWeights } from "./normalization.ts";
export { controlRewards, episodeReward, type RewardKind, verdictReward } from "./rewards.ts";
export { learningRateAt, type ScheduleOptions } from "./schedule.ts";
