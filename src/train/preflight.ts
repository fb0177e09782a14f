/** What would stop a run later is found before its first step: missing failures, an engine that cannot, no room. */
import type { Failure } from "../core/episode.ts";
import { MulliganError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { EngineInfo } from "../engine/contract.ts";
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
