/**
 * Where failures come from: written into the header of their file, and asked for before they are used or added to.
 * Failures of another model are another experiment: what learns from them reflects on mistakes it would not make.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { MulliganError } from "../core/errors.ts";
import type { Problem, Task } from "../core/task.ts";
import { openAttempt } from "../loop/attempt.ts";
import type { Policy } from "../loop/policy.ts";
import { fingerprintAdapter, fingerprintModel } from "../store/fingerprint.ts";
import type { FailuresHeader } from "../store/wire.ts";
import { attemptDecoding } from "./sampling.ts";
import type { Setup } from "./setup.ts";

const origins = new WeakMap<Setup, Promise<FailuresHeader>>();

/** The header of what would be collected now. Reads the whole model, once: about a second per gigabyte. */
export function originOf(setup: Setup): Promise<FailuresHeader> {
  const origin = origins.get(setup) ?? findOrigin(setup);
  origins.set(setup, origin);
  return origin;
}

async function findOrigin({
  config,
  model,
  policy,
  task,
  problems: { train: problems },
}: Setup): Promise<FailuresHeader> {
  const { temperature, topP, topK } = attemptDecoding(config);
  const { tries, maxFailuresPerProblem, maxFailures } = config.collect;
  const { maxAttemptLength, quantization } = config;
  return {
    kind: "failures",
    version: 2,
    model: {
      name: config.model,
      ...(await fingerprintModel(model)),
      ...(config.adapter !== "" && { adapter: await fingerprintAdapter(config.adapter) }),
      chatTemplateKwargs: config.chatTemplateKwargs,
    },
    task: { name: task.name, options: config.taskOptions },
    problems: hashProblems(policy, task, problems),
    seed: config.seed,
    decoding: {
      ...{ temperature, topP, topK, maxAttemptLength },
      ...(quantization !== "none" && { quantization }),
    },
    limits: { tries, maxFailuresPerProblem, maxFailures },
  };
}

function hashProblems(policy: Policy, task: Task, problems: readonly Problem[]): string {
  const hash = createHash("sha256");
  for (const problem of problems) {
    hash.update(`${JSON.stringify([problem.id, openAttempt(policy, task, problem).tokens])}\n`);
  }
  return hash.digest("hex");
}

/** Something a header says, in people's words. */
type Aspect = [what: string, valueIn: (header: FailuresHeader) => unknown];

/** Whose failures they are. */
const SOURCE: readonly Aspect[] = [
  ["the model's weights", ({ model }) => model.weights],
  ["the model's config.json", ({ model }) => model.config],
  ["the model's tokenizer", ({ model }) => model.tokenizer],
  ["the adapter", ({ model }) => model.adapter ?? "none"],
  ["chatTemplateKwargs", ({ model }) => model.chatTemplateKwargs],
  ["the task", ({ task }) => task.name],
  ["the task's options", ({ task }) => task.options],
];
/** How they were sampled. */
const DECODING: readonly Aspect[] = [
  ["temperature", ({ decoding }) => decoding.temperature],
  ["topP", ({ decoding }) => decoding.topP],
  ["topK", ({ decoding }) => decoding.topK],
  ["maxAttemptLength", ({ decoding }) => decoding.maxAttemptLength],
  ["quantization", ({ decoding }) => decoding.quantization ?? "none"],
];
/** What else decides which ones there are. */
const EXTENT: readonly Aspect[] = [
  ["the problems", ({ problems }) => problems],
  ["seed", ({ seed }) => seed],
  ["collect.tries", ({ limits }) => limits.tries],
  ["collect.maxFailuresPerProblem", ({ limits }) => limits.maxFailuresPerProblem],
  ["collect.maxFailures", ({ limits }) => limits.maxFailures],
];

/** Throws `MulliganError("config")`, which names the first difference, when a collection cannot go on as it began. */
export function requireSameCollection(begun: FailuresHeader, now: FailuresHeader): void {
  const [difference] = differences([...SOURCE, ...DECODING, ...EXTENT], begun, now);
  if (difference === undefined) return;
  throw new MulliganError("config", `resume: a collection goes on as it began, but ${difference}`, {
    hint: "go back to what it began with, or start another one with --output-dir",
  });
}

/**
 * Throws `MulliganError("data")` when a file's failures are of another model, tokenizer or task. Returns a sentence for
 * each way in which they were sampled differently.
 */
export function requireSameSource(file: FailuresHeader, now: FailuresHeader): string[] {
  const [difference] = differences(SOURCE, file, now);
  if (difference !== undefined) {
    throw new MulliganError("data", `failures: must be this model's own at this task, but ${difference}`, {
      hint: "collect again with `mulligan collect`, or use them all the same with --allow-mismatch",
    });
  }
  return describeSampling(file, now);
}

/** Only the ways in which failures were sampled differently from how training will sample. */
export function describeSampling(file: FailuresHeader, now: FailuresHeader): string[] {
  return differences(DECODING, file, now).map((difference) => `failures: ${difference}`);
}

function differences(aspects: readonly Aspect[], then: FailuresHeader, now: FailuresHeader): string[] {
  return aspects.flatMap(([what, valueIn]) => {
    const [before, after] = [valueIn(then), valueIn(now)];
    if (isDeepStrictEqual(before, after)) return [];
    return [`${what}: ${show(before)} then, ${show(after)} now`];
  });
}

/** Hashes by their first digits. */
function show(value: unknown): string {
  const text = JSON.stringify(value);
  return /^"[0-9a-f]{64}"$/.test(text) ? text.slice(1, 13) : text;
}
