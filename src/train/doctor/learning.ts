/**
 * Does the model sample what it trains on, and does it learn? Tried with the engine that a run would use, in memory: what a
 * step has changed goes when the engine is closed.
 */
import type { Problem, Task } from "../../core/task.ts";
import type { Engine } from "../../engine/contract.ts";
import { attemptProblems, failureFromAttempt } from "../../loop/attempt.ts";
import type { Policy } from "../../loop/policy.ts";
import { rowsOf } from "../../loop/verdicts.ts";
import type { MulliganConfig } from "../config.ts";
import { gatherBatch } from "../gather.ts";
import { attemptDecoding } from "../sampling.ts";
import { attemptSource, episodeSource, type Source } from "../source.ts";
import { updatePolicy } from "../update.ts";
import { type Finding, failed, findingFrom, ok, warning } from "./check.ts";

/**
 * Of a turn: enough for cached and fresh computation to part ways and for two turns to differ, since equal ones with opposite
 * rewards cancel; few enough for a model of a gigabyte, whose weights are read for each.
 */
const TOKENS = 16;
/** Of a turn that nothing is learnt from. */
const FEW_TOKENS = 4;

/** The same bounds as those of the metric sampling/logprob_difference_max. */
const boundOf = ({ quantization }: Pick<MulliganConfig, "quantization">) =>
  quantization === "none" ? 1e-4 : 1e-2;

/**
 * Samples from a few prompts, token by token from caches, and has the trainer compute the same log-probabilities in one
 * pass: what they differ by is noise in every ratio that is learnt from.
 */
export async function checkAgreement(
  engine: Pick<Engine, "sample" | "forward">,
  prompts: readonly (readonly number[])[],
  stop: readonly number[],
  config: Pick<MulliganConfig, "temperature" | "quantization">,
): Promise<Finding> {
  const { temperature } = config;
  try {
    const samples = await engine.sample(
      prompts.map((prompt, seed) => ({ prompt, seed })),
      { maxTokens: TOKENS, temperature, topP: 1, topK: 0, stop },
    );
    const texts = samples.map(({ tokens }, i) => Int32Array.from([...prompts[i]!, ...tokens]));
    const trained = await engine.forward(
      texts.map((text) => ({ tokens: text.subarray(0, -1), targets: text.subarray(1) })),
      { temperature },
    );
    const differences = samples.flatMap(({ logprobs }, i) =>
      Array.from(logprobs, (sampled, t) => Math.abs(sampled - trained[i]![prompts[i]!.length - 1 + t]!)),
    );
    const largest = differences.reduce((most, one) => Math.max(most, one), 0); // NaN stays
    const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length;
    const bound = boundOf(config);
    const found = `log-probabilities of ${differences.length} tokens differ by at most ${show(largest)}, ${show(mean)} on average`;
    if (largest <= bound) return ok(`${found}; up to ${show(bound)} is rounding`);
    return failed(
      `${found}; only up to ${show(bound)} is rounding`,
      "training would learn from wrong ratios: try --device cpu, --threads 1; then report it, with the model's name",
    );
  } catch (error) {
    return findingFrom(error);
  }
}

/**
 * One optimiser step on the way that a run takes: attempts, reflections, retries, their verdicts, a batch, the gradient. So
 * that there is something to learn from whatever the verdicts are, rewards of 0 and 1 are made up in turn.
 */
export async function checkStep(
  policy: Policy & { engine: Engine },
  task: Task,
  problems: readonly Problem[],
  settings: MulliganConfig,
  now: () => number = () => performance.now(),
): Promise<Finding> {
  const config = tinyStep(settings, problems.length);
  const start = now();
  try {
    const source = withMadeUpRewards(await sourceOf(policy, task, problems, config));
    const { items } = await source.itemsFor(1);
    const { batch, completions, sampledTokens } = await gatherBatch(source, items, config, {
      step: 1,
      position: 0,
    });
    const { metrics, nonFinite } = await updatePolicy(policy.engine, batch, config, 1);
    const { loss, grad_norm: norm } = metrics;
    const seconds = (now() - start) / 1000;
    const found = `${completions.length} sequences, ${sampledTokens} tokens sampled, in ${seconds.toFixed(1)} s`;
    if (nonFinite || loss === undefined || norm === undefined) {
      return failed(
        `${found}: ${nonFinite?.reason ?? "no loss"}`,
        "the weights may hold numbers that are none: take the model from its source again",
      );
    }
    if (norm > 0) return ok(`${found}; gradient norm ${norm.toPrecision(3)}`);
    return warning(
      `${found}; the gradient is 0`,
      "nothing would be learnt: is --adapter or --lora-target-modules what you meant?",
    );
  } catch (error) {
    return findingFrom(error);
  }
}

/** As configured, but two of everything and short turns. Neither filters nor warm-up may leave nothing to learn. */
function tinyStep(settings: MulliganConfig, groups: number): MulliganConfig {
  const answer = settings.learnFrom === "reflection" ? FEW_TOKENS : TOKENS;
  return {
    ...settings,
    ...{ failuresPerStep: groups, numGenerations: 2, retriesPerReflection: 1, dynamicSampling: false },
    ...{ gradientAccumulationSteps: 1, numIterations: 1, maskTruncatedCompletions: false, warmupSteps: 0 },
    reward: "verifier",
    maxAttemptLength: Math.min(answer, settings.maxAttemptLength),
    maxCompletionLength: Math.min(TOKENS, settings.maxCompletionLength),
  };
}

/** First attempts count as failures whether they are or not: a few problems may hold none. */
async function sourceOf(
  policy: Policy,
  task: Task,
  problems: readonly Problem[],
  config: MulliganConfig,
): Promise<Source> {
  const setup = { policy, task, config, rows: rowsOf(problems) };
  if (config.learnFrom === "answer") return attemptSource(setup);
  const decoding = attemptDecoding(config);
  const attempts = await attemptProblems(policy, task, problems, {
    tries: 1,
    decoding,
    seed: config.seed,
    step: 0,
  });
  const failures = attempts.map((attempt) => failureFromAttempt(attempt, 0));
  return episodeSource(setup, async () => ({ failures, since: 1 }));
}

function withMadeUpRewards({ itemsFor, gather }: Source): Source {
  return {
    itemsFor,
    async gather(items, step) {
      const gathering = await gather(items, step);
      const reward = (i: number) => i % 2;
      const completions = gathering.completions.map((one, i) => ({
        ...one,
        reward: reward(i),
        verifierReward: reward(i), // which every control of the reward is made of
      }));
      return { ...gathering, completions };
    },
  };
}

const show = (value: number) => (value === 0 ? "0" : value.toExponential(1));
