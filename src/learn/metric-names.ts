/**
 * Every metric of a training step and of a validation: its name in a run folder's files, and what it says. TRL's names
 * where TRL has one, otherwise `area/name` in the same style. What a clock says stands apart: it alone differs between
 * equal runs.
 */

export const METRICS = {
  reward: "Mean reward over scored completions: what the advantages come from.",
  reward_std: "Mean over groups of the reward's standard deviation inside the group (ddof = 1).",
  frac_reward_zero_std: "Share of scored groups whose rewards are all equal, so that they teach nothing.",
  "rewards/verifier/mean": "Mean of the verifier's own reward, also when a control reward replaces it.",
  "groups/live": "Groups whose rewards differ, so that they teach something.",
  "groups/all_failed": "Groups left out because every reward is 0.",
  "groups/all_passed": "Groups left out because every reward is 1.",
  "groups/tied":
    "Groups left out because every reward is the same fraction (several retries per reflection).",
  "groups/unscored": "Groups left out because fewer than two members were scored.",
  "rescue/rate": "Share of scored retries that were solved: success after failure and reflection.",
  "reflection/leak_rate": "Share of reflections that contain a complete solution.",
  "completions/mean_length": "Mean number of learnt tokens per completion, end token included.",
  "completions/min_length": "Fewest learnt tokens of a completion.",
  "completions/max_length": "Most learnt tokens of a completion.",
  "completions/clipped_ratio": "Share of completions cut at their token limit.",
  "completions/mean_terminated_length":
    "Mean number of learnt tokens of the completions that ended by themselves.",
  "completions/distinct_ratio": "Mean over groups of the share of completions whose learnt tokens differ.",
  "completions/unscored_ratio": "Share of completions that the verifier could not score.",
  entropy: "Monte-Carlo estimate in nats: mean of -ln q over the sampled learnt tokens of all completions.",
  "sampling/logprob_difference_max":
    "Largest |trainer - sampler| log-probability over learnt tokens; far above 1e-4 (quantised: 1e-2) on fresh data = a mismatch.",
  "sampling/logprob_difference_mean": "Mean |trainer - sampler| log-probability over learnt tokens.",
  loss: "The loss as normalised, KL included.",
  kl: "Mean estimate of the KL to the starting model over learnt tokens; measured when beta > 0.",
  "clip_ratio/low_mean": "Share of learnt tokens clipped below: ratio under 1 - epsilon, advantage negative.",
  "clip_ratio/high_mean":
    "Share of learnt tokens clipped above: ratio over 1 + epsilonHigh, advantage positive.",
  "clip_ratio/region_mean": "Share of learnt tokens clipped on either side.",
  grad_norm: "Global L2 norm of the gradient before clipping.",
  "refresh/failures": "Failures of the current model that were collected at this step.",
  "refresh/solved":
    "Share of the scored attempts that were solved when this step collected: the current model at first attempts.",
  learning_rate: "Learning rate of the step.",
  skipped: "1 where NaN or infinity made the step worthless and it was dropped; its batch lies in skipped/.",
  num_tokens: "Tokens sampled and trained on since the run began.",
  "eval/first_try": "Share of evaluated problems solved at the first attempt.",
  "eval/first_try_lenient":
    "Share solved at the first attempt by the task's lenient reading; only where a task has one.",
  "eval/second_try": "Share solved at first or, where that failed, by the retry after reflecting on it.",
  "eval/pass_at_2": "Share solved at first or, where that failed, by an independent second attempt.",
  "eval/rescue":
    "Share of the failures (the policy's own unless fixed ones are given) solved after its reflection.",
  "eval/rescue_no_leak": "Rescue over the failures whose reflection holds no complete solution.",
  "eval/rescue_leak": "Rescue over the failures whose reflection holds a complete solution.",
  "eval/plain_retry": "Share of the failures solved by a retry without a reflection.",
  "eval/second_draw": "Share of the failures whose problem a fresh attempt solves, the failed one unseen.",
  "eval/shuffled": "Share of the failures solved after a reflection that was written on another problem.",
  "eval/filler": "Share of the failures solved after neutral tokens as long as the reflection.",
  "eval/leak_rate": "Share of the reflections on the failures that hold a complete solution.",
  "eval/reflection_length": "Mean tokens of the reflections on the failures, end token included.",
  "eval/truncated_rate": "Share of the reflections on the failures that were cut at their token limit.",
  "eval/unscored": "Verdicts of the evaluation that could not be scored; they are in no rate.",
} as const;

/** What a step took. */
export const TIMINGS = {
  step_time: "Seconds of the whole step.",
  "time/sample": "Seconds of the step spent sampling.",
  "time/verify": "Seconds of the step spent verifying.",
  "time/train": "Seconds of the step spent in forward, backward and optimiser.",
  "time/other": "Seconds of the step spent in none of these: building batches, writing files.",
  tokens_per_second: "Tokens sampled and trained on in the step, by its seconds.",
} as const;

export type MetricName = keyof typeof METRICS;

/** Metrics of one step or validation; a metric without data (a mean over nothing) is absent. */
export type Metrics = Partial<Record<MetricName, number>>;

export type Timings = Record<keyof typeof TIMINGS, number>;
