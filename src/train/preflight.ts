/** What would stop a run later is found before its first step: missing failures, an engine that cannot, no room. */
import type { Failure } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Problem, Task } from "../core/task.ts";
import type { EngineInfo } from "../engine/contract.ts";
import { type Environment, loggersIn } from "../log/loggers.ts";
import type { Policy } from "../loop/policy.ts";
import { askForReflection } from "../loop/reflection.ts";
import { type Rows, rowOf } from "../loop/verdicts.ts";
import type { MulliganConfig } from "./config.ts";

/** Throws `MulliganError("engine")` when the engine lacks what the configuration asks for. */
export function requireCapabilities({ name, capabilities }: EngineInfo, config: MulliganConfig): void {
  const { temperature, beta, klEstimator } = config;
  if (temperature !== 1 && !capabilities.temperature) {
    const rule = `temperature: the engine "${name}" can only train at 1`;
    throw new MulliganError("engine", `${rule}, got ${temperature}`, { hint: "set temperature to 1" });
  }
  if (beta > 0 && !capabilities.kl.includes(klEstimator)) {
    const choices = capabilities.kl.join(", ");
    throw new MulliganError(
      "engine",
      `klEstimator: the engine "${name}" offers ${choices || "none"}, got "${klEstimator}"`,
      { hint: choices ? `set klEstimator to one of ${choices}` : "set beta to 0" },
    );
  }
}

/** Throws `MulliganError("config")` when nothing could learn. Asked before gigabytes are loaded. */
export function requireLearner({ quantization, loraR, adapter }: MulliganConfig): void {
  if (quantization === "none" || loraR > 0 || adapter !== "") return;
  throw new MulliganError(
    "config",
    `quantization: training needs an adapter, got "${quantization}" without`,
    {
      hint: "a step is far smaller than the distance of two integers: add --lora-r 16, or leave --quantization out",
    },
  );
}

/** Throws `MulliganError("config")` unless the loggers that `reportTo` names have what they need. */
export function requireLoggers({ reportTo }: MulliganConfig, env: Environment = process.env): void {
  loggersIn(reportTo, env);
}

/** Throws `MulliganError("data")` when there is nothing to learn from. */
export function requireItems(items: readonly unknown[], config: MulliganConfig): void {
  if (items.length > 0) return;
  if (config.learnFrom === "answer") {
    throw new MulliganError("data", `task "${config.task}": must have training problems, got none`);
  }
  throw new MulliganError("data", "failures: training needs at least one failed attempt, got none", {
    hint: "collect from more problems or with more tries: --collect.max-problems, --collect.tries",
  });
}

/** Throws `MulliganError("data")` when failures from a file are of another task or another model's tokens. */
export function requireKnown(failures: readonly Failure[], rows: Rows, { engine }: Policy): void {
  const { vocabSize } = engine.info;
  for (const { id, problemId, conversation } of failures) {
    rowOf(rows, problemId);
    const stray = conversation.tokens.find((token) => token >= vocabSize);
    if (stray === undefined) continue;
    throw new MulliganError(
      "data",
      `failures: tokens must be under the model's vocab_size ${vocabSize}, got ${stray} in "${id}"`,
      { hint: "collect the failures again: they are of another model" },
    );
  }
}

/** Tokens of an episode whose sampled turns are empty: up to the attempt, to the reflection, to the retry. */
export interface EpisodeLengths {
  prompt: number;
  asked: number;
  retry: number;
}

/**
 * Throws `MulliganError("context")` when some problem's episode could leave no token for the retry, were attempt and
 * reflection as long as allowed. `lengths` are those of the problems, in order.
 */
export function requireEpisodes(
  { contextLength }: Pick<EngineInfo, "contextLength">,
  problems: readonly Problem[],
  lengths: readonly EpisodeLengths[],
  { maxAttemptLength, maxCompletionLength }: MulliganConfig,
): void {
  requirePrompts({ contextLength }, problems, lengths);
  for (const [index, { retry }] of lengths.entries()) {
    const { id } = problems[index]!;
    const longest = retry + maxAttemptLength + maxCompletionLength;
    if (longest < contextLength) continue;
    throw new MulliganError(
      "context",
      `problem "${id}": its episode must leave room for a retry in the model's context of ${contextLength} tokens, got ${longest} before the retry: ${retry} of prompts, maxAttemptLength = ${maxAttemptLength}, maxCompletionLength = ${maxCompletionLength}`,
      { hint: "lower maxCompletionLength or maxAttemptLength, or use a model with a longer context" },
    );
  }
}

/** Throws `MulliganError("context")` when some problem's prompt leaves no token for an attempt. */
export function requirePrompts(
  { contextLength }: Pick<EngineInfo, "contextLength">,
  problems: readonly Problem[],
  lengths: readonly EpisodeLengths[],
): void {
  for (const [index, { prompt }] of lengths.entries()) {
    if (prompt < contextLength) continue;
    throw new MulliganError(
      "context",
      `problem "${problems[index]!.id}": its prompt must be shorter than the model's context of ${contextLength} tokens, got ${prompt}`,
      { hint: "shorten the prompt, leave the row out, or use a model with a longer context" },
    );
  }
}

/** Throws `MulliganError("task")` when a prompt of the problem throws. */
export function lengthsOf(chat: Policy["chat"], task: Task, { id, row }: Problem): EpisodeLengths {
  try {
    task.plainRetryPrompt(row);
    const prompt = chat.start(task.prompt(row), task.tools?.(row));
    const attempted = chat.appendSampled(prompt, "attempt", []);
    const asked = chat.appendTurn(attempted, "reflection-prompt", task.reflectionPrompt(row));
    const reflected = chat.appendSampled(asked, "reflection", []);
    const retry = chat.appendTurn(reflected, "retry-prompt", task.retryPrompt(row));
    return { prompt: prompt.tokens.length, asked: asked.tokens.length, retry: retry.tokens.length };
  } catch (cause) {
    if (cause instanceof MulliganError) throw cause;
    throw new MulliganError("task", `task "${task.name}": a prompt of problem "${id}" threw: ${cause}`, {
      hint: "the functions that make prompts must work for every row",
      cause,
    });
  }
}

/**
 * Throws `MulliganError("context")` when some episode could leave no token for its retry, were its reflection as long
 * as allowed: a long reflection must not end a run after hours.
 */
export function requireRoom(
  policy: Policy,
  task: Task,
  failures: readonly Failure[],
  rows: Rows,
  config: MulliganConfig,
): void {
  const { contextLength } = policy.engine.info;
  const stop = policy.chat.stopTokens[0]!;
  for (const failure of failures) {
    const asked = askForReflection(policy, task, failure, rows);
    const reflected = policy.chat.appendSampled(asked, "reflection", [stop]);
    const prompt = task.retryPrompt(rowOf(rows, failure.problemId));
    const again = policy.chat.appendTurn(reflected, "retry-prompt", prompt).tokens.length;
    // a reflection cut at its limit has no end token, which the chat then adds: hence the whole limit on top
    const longest = again + config.maxCompletionLength;
    if (longest < contextLength) continue;
    throw new MulliganError(
      "context",
      `problem "${failure.problemId}": its episode must leave room for a retry in the model's context of ${contextLength} tokens, got ${longest} before the retry when the reflection has maxCompletionLength = ${config.maxCompletionLength}`,
      { hint: "lower maxCompletionLength or maxAttemptLength, or use a model with a longer context" },
    );
  }
}
