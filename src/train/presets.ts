/**
 * Named settings. Every value carries where it comes from, so that the docs and `--help` can say which of the paper's
 * settings are known and which had to be guessed.
 */

/**
 * seen: stated by the authors or quoted from the paper. recalled: from memory of the paper or implied by it, not
 * checked. unknown: not published; the value is the default of the trainer they built on. chosen: by us.
 */
export type Provenance = "seen" | "recalled" | "unknown" | "chosen";

export interface PresetValue {
  /** A key of the configuration, dotted where nested. */
  key: string;
  value: string | number | boolean;
  provenance: Provenance;
  note: string;
}

export interface Preset {
  name: string;
  summary: string;
  values: readonly PresetValue[];
}

export type PresetName = "mini" | "paper";

type Entry = [key: string, value: PresetValue["value"], provenance: Provenance, note: string];

const preset = (name: PresetName, summary: string, entries: readonly Entry[]): Preset => ({
  name,
  summary,
  values: entries.map(([key, value, provenance, note]) => ({ key, value, provenance, note })),
});

const sizedForMinutes = "sized so that a run takes minutes on two cores";

export const presets: Record<PresetName, Preset> = {
  mini: preset("mini", "the shipped model on Countdown, minutes on two cores", [
    ["model", "mini", "chosen", "the model in models/"],
    ["task", "countdown", "chosen", "the task it was made for"],
    ["taskOptions.wording", "compact", "chosen", "the wording it was made with"],
    ["maxSteps", 80, "chosen", sizedForMinutes],
    ["failuresPerStep", 64, "chosen", "more signal per step, so that a low rate is enough"],
    ["numGenerations", 8, "chosen", "the least of the paper's range"],
    ["temperature", 1, "chosen", "the distribution that is trained is the one that is sampled"],
    ["beta", 0, "chosen", "no drift to guard against in so few steps"],
    ["lossType", "dapo", "chosen", "a token mean: no bias towards short or long reflections"],
    [
      "learningRate",
      1e-4,
      "chosen",
      "at higher rates random rewards do harm: the gradient's noise accumulates",
    ],
    ["lrSchedulerType", "linear", "chosen", "small last steps: less of the gradient's noise stays"],
  ]),
  paper: preset("paper", "arXiv 2505.24726 as far as it is known; needs a real model and real hardware", [
    ["learnFrom", "reflection", "seen", "the advantages of all other generated tokens are set to zero (§3)"],
    ["reward", "verifier", "seen", "1 when the retry is verified, else 0"],
    ["collect.tries", 64, "seen", "up to 64 responses per query, fewer for weaker models"],
    ["failuresPerStep", 256, "seen", "effective batch of 256 failures; may have meant completions"],
    ["numGenerations", 8, "seen", "8 to 14 per failure, varied between runs"],
    ["retriesPerReflection", 1, "recalled", "implied by the first author's talk"],
    ["maxSteps", 1750, "seen", "the most of any run; most converged by 1,000"],
    ["learningRate", 5e-7, "seen", "with AdamW on the full weights"],
    ["lrSchedulerType", "cosine", "recalled", "cosine annealing"],
    ["warmupSteps", 53, "recalled", "warm-up ratio 0.03 of 1,750 steps"],
    ["beta", 0.001, "seen", "weight of the KL to the starting model"],
    ["klEstimator", "k3", "recalled", "the only one in TRL at the time"],
    ["temperature", 0.9, "seen", '"0.9 or something like that, maybe a little lower"'],
    ["topP", 1, "unknown", "TRL's default at the time"],
    ["topK", 0, "unknown", "off"],
    ["epsilon", 0.2, "recalled", '"standard GRPO parameters"'],
    ["epsilonHigh", 0.2, "recalled", "as epsilon: TRL had one bound"],
    ["numIterations", 1, "recalled", '"standard GRPO parameters"'],
    ["scaleRewards", "group", "recalled", "GRPO as published divides by the group's std"],
    ["lossType", "bnpo", "unknown", "TRL's default from v0.16; before it was grpo"],
    ["maskTruncatedCompletions", false, "unknown", "TRL's default"],
    ["maxCompletionLength", 256, "unknown", "TRL's default"],
    ["maxAttemptLength", 256, "unknown", "TRL's default"],
    ["adamBeta1", 0.9, "unknown", "TRL's default"],
    ["adamBeta2", 0.999, "unknown", "TRL's default"],
    ["adamEpsilon", 1e-8, "unknown", "TRL's default"],
    ["weightDecay", 0, "unknown", "TRL's default"],
    ["maxGradNorm", 1, "unknown", "TRL's default"],
  ]),
};

/** A preset as the nested partial configuration that the schema parses. */
export function presetConfig(name: PresetName): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const { key, value } of presets[name].values) {
    const [section, inner] = key.split(".") as [string, string?];
    config[section] = inner === undefined ? value : { ...(config[section] as object), [inner]: value };
  }
  return config;
}
