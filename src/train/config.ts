/**
 * The one configuration schema: mulligan.config.ts, dotted flags, defaults, help texts and the resolved config in a run
 * folder all come from here. Hyper-parameters carry TRL's names in camelCase.
 */
import { z } from "zod";
import { DEVICES } from "../core/device.ts";
import { QUANTIZATIONS } from "../core/quantization.ts";
import type { MetricName } from "../learn/metric-names.ts";
import { DEFAULT_LIMITS } from "../verify/apart/limits.ts";

/** Of the metrics of a validation those of which more is better. */
const BEST_BY = [
  "eval/first_try",
  "eval/first_try_lenient",
  "eval/second_try",
  "eval/pass_at_2",
  "eval/rescue",
  "eval/rescue_no_leak",
] as const satisfies readonly MetricName[];

const probability = z.number().min(0).max(1);

export const CollectConfig = z.strictObject({
  tries: z.int().min(1).default(1).describe("most attempts per problem; distinct failing ones are kept"),
  maxFailuresPerProblem: z
    .int()
    .min(0)
    .default(0)
    .describe("a problem is finished once this many of its failures are kept; 0 = after all tries"),
  maxProblems: z.int().min(1).default(2000).describe("training problems to attempt"),
  maxFailures: z.int().min(1).default(100_000).describe("stop once this many failures are kept"),
  refreshSteps: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "training collects failures of the current model every N steps; 0 = never (the paper), 1 = online",
    ),
});

export const EvalConfig = z.strictObject({
  steps: z.int().min(0).default(20).describe("validate every N training steps; 0 = never"),
  validationProblems: z.int().min(1).default(300).describe("problems of each validation"),
  testProblems: z.int().min(1).default(1000).describe("problems of the final test"),
  temperature: z.number().min(0).default(1).describe("decoding of every evaluated turn; 0 = greedy"),
  seed: z.int().default(20_250_530).describe("seed of every evaluation draw, separate from training's"),
  bootstrap: z.int().min(100).default(2000).describe("resamples behind each 95 % interval"),
});

const { timeoutMs, memoryMb, maxOutputBytes, workers } = DEFAULT_LIMITS;

export const VerifierConfig = z.strictObject({
  timeoutMs: z
    .int()
    .min(1)
    .max(2_147_483_647)
    .default(timeoutMs)
    .describe("longest time of a verdict in milliseconds"),
  memoryMb: z
    .int()
    .max(1_048_576)
    .min(256)
    .default(memoryMb)
    .describe("most memory of a verifier's process in MiB (kept by Linux only)"),
  maxOutputBytes: z
    .int()
    .min(1)
    .default(maxOutputBytes)
    .describe("most that a verifier may write for a verdict"),
  workers: z.int().min(1).default(workers).describe("verdicts made at once, each in a process of its own"),
  maxUnscoredFraction: probability
    .default(0.2)
    .describe("stop when a larger share of at least 20 answers is unscored"),
});

export const MulliganConfig = z
  .strictObject({
    model: z
      .string()
      .default("mini")
      .describe("a Hugging Face folder, a hub name[@revision], or a shipped model"),
    task: z.string().default("countdown").describe("a built-in task, or a TypeScript file that exports one"),
    taskOptions: z.record(z.string(), z.unknown()).default({}).describe("options of a built-in task"),
    datasetRevisions: z
      .record(z.string(), z.string())
      .default({})
      .describe("commits of data sets of the hub by name@revision; a run writes down those that it used"),
    chatTemplateKwargs: z
      .record(z.string(), z.unknown())
      .default({})
      .describe("variables for the model's chat template, such as enable_thinking"),
    outputDir: z.string().default("runs/latest").describe("run folder"),
    seed: z.int().default(0).describe("every random draw of the run derives from it"),
    threads: z
      .int()
      .min(0)
      .default(0)
      .describe("compute threads; 0 = one per core, of the machine where a run begins"),
    device: z
      .enum(DEVICES)
      .default("cpu")
      .describe("what graphs run on; all but cpu are untested (docs/devices.md)"),
    quantization: z
      .enum(["none", ...QUANTIZATIONS])
      .default("none")
      .describe("keep the model's matrices as 8 or 4 bit integers: to sample, or under an adapter"),
    profile: z
      .boolean()
      .default(false)
      .describe("measure the time by kind of op, shown at the end (slows down)"),

    collect: CollectConfig.prefault({}),
    eval: EvalConfig.prefault({}),
    verifier: VerifierConfig.prefault({}),

    gradientCheckpointing: z
      .boolean()
      .default(false)
      .describe("compute activations again for the gradient instead of keeping them: less memory, more time"),
    maxTokensPerRun: z
      .int()
      .min(64)
      .default(1024)
      .describe("distinct tokens trained on at once; fewer take less memory and more time"),
    memoryCheck: z
      .enum(["refuse", "warn"])
      .default("refuse")
      .describe("what to do when the plan of a training run exceeds the free memory"),

    maxSteps: z.int().min(0).default(60).describe("optimiser steps"),
    failuresPerStep: z.int().min(1).default(32).describe("failed attempts (groups) per step"),
    numGenerations: z.int().min(2).default(8).describe("reflections per failed attempt (G)"),
    retriesPerReflection: z
      .int()
      .min(1)
      .default(1)
      .describe("retries whose mean reward a reflection gets (K)"),
    maxAttemptLength: z.int().min(1).default(32).describe("most tokens of an attempt or retry"),
    maxCompletionLength: z.int().min(1).default(32).describe("most tokens of a reflection"),
    temperature: z.number().positive().default(1).describe("sampling temperature of training and collecting"),
    topP: z.number().gt(0).max(1).default(1).describe("nucleus sampling; 1 = off"),
    topK: z.int().min(0).default(0).describe("top-k sampling; 0 = off"),

    learnFrom: z
      .enum(["reflection", "answer", "retry", "reflection+retry"])
      .default("reflection")
      .describe("which spans learn: the paper's reflections, or a control"),
    reward: z
      .enum(["verifier", "random", "inverted"])
      .default("verifier")
      .describe("verifier, or a control: random at the verifier's rate, or inverted"),
    scaleRewards: z
      .enum(["group", "batch", "none"])
      .default("group")
      .describe("divide advantages by this std"),
    lossType: z.enum(["grpo", "bnpo", "dr_grpo", "dapo"]).default("dapo").describe("loss normalisation"),
    beta: z.number().min(0).default(0).describe("weight of the KL to the starting model"),
    klEstimator: z.enum(["k1", "k2", "k3"]).default("k3").describe("estimator of that KL"),
    epsilon: z.number().positive().default(0.2).describe("lower clip of the ratio"),
    epsilonHigh: z.number().positive().default(0.2).describe("upper clip of the ratio"),
    numIterations: z.int().min(1).default(1).describe("optimiser steps on each batch of episodes"),
    gradientAccumulationSteps: z
      .int()
      .min(1)
      .default(1)
      .describe("parts a batch is split into (bnpo normalises each)"),
    maskTruncatedCompletions: z
      .boolean()
      .default(false)
      .describe("leave reflections cut at their limit out of the loss"),
    dynamicSampling: z.boolean().default(false).describe("replace groups without signal by further failures"),

    loraR: z
      .int()
      .min(0)
      .default(0)
      .describe("rank of a LoRA adapter that learns instead; 0 = all weights learn"),
    loraAlpha: z.number().positive().default(32).describe("the adapter counts alpha / r"),
    useRslora: z.boolean().default(false).describe("the adapter counts alpha / √r"),
    loraTargetModules: z
      .string()
      .default("all-linear")
      .describe("projections with an adapter: all-linear, or names with commas (q_proj,v_proj)"),
    adapter: z
      .string()
      .default("")
      .describe("a PEFT folder whose adapter learns on; its own rank and targets hold"),

    learningRate: z.number().positive().default(1e-4).describe("peak rate, reached after warm-up"),
    lrSchedulerType: z.enum(["constant", "linear", "cosine"]).default("constant").describe("after warm-up"),
    warmupSteps: z.int().min(0).default(0).describe("steps of linear warm-up"),
    adamBeta1: z.number().min(0).lt(1).default(0.9).describe("decay of the mean of gradients"),
    adamBeta2: z.number().min(0).lt(1).default(0.999).describe("decay of the mean of their squares"),
    adamEpsilon: z.number().positive().default(1e-8).describe("keeps the step finite where they are 0"),
    weightDecay: z.number().min(0).default(0).describe("decoupled (AdamW), on matrices only"),
    maxGradNorm: z.number().min(0).default(1).describe("clip the gradient's norm; 0 = off"),

    maxSkippedSteps: z
      .int()
      .min(1)
      .default(3)
      .describe("stop after N steps in a row that NaN or infinity made worthless; each is dropped"),
    reportTo: z
      .string()
      .default("none")
      .describe("who else is told of steps and validations: none, tensorboard, mlflow, or both with a comma"),
    saveSteps: z.int().min(0).default(0).describe("checkpoint every N steps; 0 = only the last"),
    saveTotalLimit: z
      .int()
      .min(0)
      .default(0)
      .describe("keep N checkpoints, the oldest go, but never the newest or the best; 0 = keep all"),
    metricForBestModel: z
      .enum(BEST_BY)
      .default("eval/second_try")
      .describe("validation metric that decides which checkpoint of a validated step is best"),
  })
  .describe("Mulligan's configuration");

export type MulliganConfig = z.infer<typeof MulliganConfig>;

/** For mulligan.config.ts: checks names and types while you write; everything left out takes its default. */
export function defineConfig(config: z.input<typeof MulliganConfig>): z.input<typeof MulliganConfig> {
  return config;
}
